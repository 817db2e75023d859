// A resize takes in what makes fp32 of codes before it, and a sum of pyramid levels after it; a clamp of fp32 before it is
// left to the kernel that makes what it clamps.
// RUN: %quantune-opt %s --quantune-fuse-kernels | filecheck %s

// CHECK-LABEL: @main
// CHECK: quantune.fused
// CHECK-NEXT: tosa.cast
// CHECK-NEXT: tosa.mul
// CHECK-NEXT: tosa.resize
// CHECK-NEXT: tosa.add
// CHECK-NEXT: tosa.yield
// CHECK: kernel = "resize"
// CHECK: tosa.transpose
// CHECK: quantune.fused
// CHECK-NEXT: tosa.clamp
// CHECK-NEXT: tosa.yield
// CHECK: quantune.fused
// CHECK-NEXT: tosa.resize
// CHECK-NEXT: tosa.yield
func.func @main(%x: tensor<1x4x4x8xi8>, %level: tensor<1x8x8x8xf32>) -> tensor<1x16x16x8xf32> {
  %s = "tosa.const"() {values = dense<0.5> : tensor<1x1x1x1xf32>} : () -> tensor<1x1x1x1xf32>
  %z = "tosa.const"() {values = dense<0> : tensor<1xi8>} : () -> tensor<1xi8>
  %scale = "tosa.const_shape"() {values = dense<[4, 2, 4, 2]> : tensor<4xindex>} : () -> !tosa.shape<4>
  %offset = "tosa.const_shape"() {values = dense<-1> : tensor<2xindex>} : () -> !tosa.shape<2>
  %border = "tosa.const_shape"() {values = dense<1> : tensor<2xindex>} : () -> !tosa.shape<2>
  %0 = "tosa.cast"(%x) : (tensor<1x4x4x8xi8>) -> tensor<1x4x4x8xf32>
  %1 = "tosa.mul"(%0, %s, %z) : (tensor<1x4x4x8xf32>, tensor<1x1x1x1xf32>, tensor<1xi8>) -> tensor<1x4x4x8xf32>
  %2 = "tosa.resize"(%1, %scale, %offset, %border) {mode = #tosa.resize_mode<BILINEAR>} : (tensor<1x4x4x8xf32>, !tosa.shape<4>, !tosa.shape<2>, !tosa.shape<2>) -> tensor<1x8x8x8xf32>
  %3 = "tosa.add"(%2, %level) : (tensor<1x8x8x8xf32>, tensor<1x8x8x8xf32>) -> tensor<1x8x8x8xf32>
  %4 = "tosa.transpose"(%3) {perms = array<i32: 0, 2, 1, 3>} : (tensor<1x8x8x8xf32>) -> tensor<1x8x8x8xf32>
  %5 = "tosa.clamp"(%4) {min_val = 0.0 : f32, max_val = 6.0 : f32} : (tensor<1x8x8x8xf32>) -> tensor<1x8x8x8xf32>
  %6 = "tosa.resize"(%5, %scale, %offset, %border) {mode = #tosa.resize_mode<NEAREST_NEIGHBOR>} : (tensor<1x8x8x8xf32>, !tosa.shape<4>, !tosa.shape<2>, !tosa.shape<2>) -> tensor<1x16x16x8xf32>
  return %6 : tensor<1x16x16x8xf32>
}
