// The transpose to NCHW goes before a resize and the function that follows it; each channel is an image of its own then.
// RUN: %quantune-opt %s --quantune-hoist-transposes | filecheck %s

// CHECK-LABEL: @main
// CHECK: tosa.transpose %arg0
// CHECK-SAME: tensor<2x5x4x4xf32>
// CHECK: tosa.reshape
// CHECK-SAME: tensor<10x4x4x1xf32>
// CHECK: tosa.resize
// CHECK-SAME: tensor<10x8x8x1xf32>
// CHECK: tosa.sigmoid
// CHECK: tosa.reshape
// CHECK-SAME: tensor<2x5x8x8xf32>
// CHECK-NOT: tosa.transpose
func.func @main(%x: tensor<2x4x4x5xf32>) -> tensor<2x5x8x8xf32> {
  %scale = "tosa.const_shape"() {values = dense<[4, 2, 4, 2]> : tensor<4xindex>} : () -> !tosa.shape<4>
  %offset = "tosa.const_shape"() {values = dense<-1> : tensor<2xindex>} : () -> !tosa.shape<2>
  %border = "tosa.const_shape"() {values = dense<1> : tensor<2xindex>} : () -> !tosa.shape<2>
  %0 = "tosa.resize"(%x, %scale, %offset, %border) {mode = #tosa.resize_mode<BILINEAR>} : (tensor<2x4x4x5xf32>, !tosa.shape<4>, !tosa.shape<2>, !tosa.shape<2>) -> tensor<2x8x8x5xf32>
  %1 = "tosa.sigmoid"(%0) : (tensor<2x8x8x5xf32>) -> tensor<2x8x8x5xf32>
  %2 = "tosa.transpose"(%1) {perms = array<i32: 0, 3, 1, 2>} : (tensor<2x8x8x5xf32>) -> tensor<2x5x8x8xf32>
  return %2 : tensor<2x5x8x8xf32>
}
