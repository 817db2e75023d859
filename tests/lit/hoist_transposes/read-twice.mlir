// What something else reads in NHWC is transposed where it is.
// RUN: %quantune-opt %s --quantune-hoist-transposes | filecheck %s

// CHECK: tosa.resize
// CHECK-NEXT: tosa.transpose
func.func @main(%x: tensor<1x4x4x5xf32>) -> (tensor<1x5x8x8xf32>, tensor<1x8x8x5xf32>) {
  %scale = "tosa.const_shape"() {values = dense<[4, 2, 4, 2]> : tensor<4xindex>} : () -> !tosa.shape<4>
  %offset = "tosa.const_shape"() {values = dense<-1> : tensor<2xindex>} : () -> !tosa.shape<2>
  %border = "tosa.const_shape"() {values = dense<1> : tensor<2xindex>} : () -> !tosa.shape<2>
  %0 = "tosa.resize"(%x, %scale, %offset, %border) {mode = #tosa.resize_mode<BILINEAR>} : (tensor<1x4x4x5xf32>, !tosa.shape<4>, !tosa.shape<2>, !tosa.shape<2>) -> tensor<1x8x8x5xf32>
  %1 = "tosa.transpose"(%0) {perms = array<i32: 0, 3, 1, 2>} : (tensor<1x8x8x5xf32>) -> tensor<1x5x8x8xf32>
  return %1, %0 : tensor<1x5x8x8xf32>, tensor<1x8x8x5xf32>
}
