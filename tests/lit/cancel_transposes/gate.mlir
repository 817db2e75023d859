// Squeeze and excitation: a gate [1, C, 1, 1] made by a reshape joins the layout of what it scales.
// RUN: %quantune-opt %s --quantune-cancel-transposes | filecheck %s

// CHECK-LABEL: @main
// CHECK: %[[GATE:.*]] = tosa.reshape %arg1, {{.*}} -> tensor<1x1x1x3xf32>
// CHECK: tosa.mul %arg0, %[[GATE]]
// CHECK-NOT: tosa.transpose
// CHECK: return
func.func @main(%x: tensor<1x4x5x3xf32>, %gate: tensor<1x3xf32>) -> tensor<1x4x5x3xf32> {
  %no_shift = "tosa.const"() {values = dense<0> : tensor<1xi8>} : () -> tensor<1xi8>
  %shape = "tosa.const_shape"() {values = dense<[1, 3, 1, 1]> : tensor<4xindex>} : () -> !tosa.shape<4>
  %0 = "tosa.transpose"(%x) {perms = array<i32: 0, 3, 1, 2>} : (tensor<1x4x5x3xf32>) -> tensor<1x3x4x5xf32>
  %1 = "tosa.reshape"(%gate, %shape) : (tensor<1x3xf32>, !tosa.shape<4>) -> tensor<1x3x1x1xf32>
  %2 = "tosa.mul"(%0, %1, %no_shift) : (tensor<1x3x4x5xf32>, tensor<1x3x1x1xf32>, tensor<1xi8>) -> tensor<1x3x4x5xf32>
  %3 = "tosa.transpose"(%2) {perms = array<i32: 0, 2, 3, 1>} : (tensor<1x3x4x5xf32>) -> tensor<1x4x5x3xf32>
  return %3 : tensor<1x4x5x3xf32>
}
