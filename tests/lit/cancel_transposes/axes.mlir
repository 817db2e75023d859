// Axes, paddings, starts and sizes follow the layout: concat, pad, slice, reduce, argmax in one chain.
// RUN: %quantune-opt %s --quantune-cancel-transposes | filecheck %s

// CHECK-LABEL: @main
// CHECK: tosa.concat %arg0, %arg0 {{.*}} -> tensor<1x4x5x6xf32>
// CHECK: tosa.pad {{.*}} -> tensor<1x4x7x6xf32>
// CHECK: tosa.slice {{.*}} -> tensor<1x4x7x2xf32>
// CHECK: tosa.reduce_max {{.*}} -> tensor<1x4x1x2xf32>
// CHECK: tosa.argmax {{.*}} -> tensor<1x4x1xi32>
// CHECK-NOT: tosa.transpose
// CHECK: return
func.func @main(%x: tensor<1x4x5x3xf32>) -> tensor<1x4x1xi32> {
  %pads = "tosa.const_shape"() {values = dense<[0, 0, 0, 0, 0, 0, 1, 1]> : tensor<8xindex>} : () -> !tosa.shape<8>
  %zero = "tosa.const"() {values = dense<0.0> : tensor<1xf32>} : () -> tensor<1xf32>
  %starts = "tosa.const_shape"() {values = dense<[0, 3, 0, 0]> : tensor<4xindex>} : () -> !tosa.shape<4>
  %sizes = "tosa.const_shape"() {values = dense<[1, 2, 4, 7]> : tensor<4xindex>} : () -> !tosa.shape<4>
  %0 = "tosa.transpose"(%x) {perms = array<i32: 0, 3, 1, 2>} : (tensor<1x4x5x3xf32>) -> tensor<1x3x4x5xf32>
  %1 = "tosa.concat"(%0, %0) {axis = 1 : i32} : (tensor<1x3x4x5xf32>, tensor<1x3x4x5xf32>) -> tensor<1x6x4x5xf32>
  %2 = "tosa.pad"(%1, %pads, %zero) : (tensor<1x6x4x5xf32>, !tosa.shape<8>, tensor<1xf32>) -> tensor<1x6x4x7xf32>
  %3 = "tosa.slice"(%2, %starts, %sizes) : (tensor<1x6x4x7xf32>, !tosa.shape<4>, !tosa.shape<4>) -> tensor<1x2x4x7xf32>
  %4 = "tosa.reduce_max"(%3) {axis = 3 : i32} : (tensor<1x2x4x7xf32>) -> tensor<1x2x4x1xf32>
  %5 = "tosa.argmax"(%4) {axis = 1 : i32} : (tensor<1x2x4x1xf32>) -> tensor<1x4x1xi32>
  return %5 : tensor<1x4x1xi32>
}
