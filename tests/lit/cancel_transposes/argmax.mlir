// A transpose to the last axis stays before an argmax, for which there is a kernel then; others go through it.
// RUN: %quantune-opt %s --quantune-cancel-transposes | filecheck %s

// CHECK-LABEL: @main
// CHECK: %[[LAST:.*]] = tosa.transpose %arg0
// CHECK: tosa.argmax %[[LAST]] axis(3)
// CHECK: tosa.argmax %arg0 axis(3)
// CHECK-NOT: tosa.transpose
// CHECK: return
func.func @main(%x: tensor<1x4x5x3xf32>) -> (tensor<1x3x4xi32>, tensor<1x4x5xi32>) {
  %0 = "tosa.transpose"(%x) {perms = array<i32: 0, 3, 1, 2>} : (tensor<1x4x5x3xf32>) -> tensor<1x3x4x5xf32>
  %1 = "tosa.argmax"(%0) {axis = 3 : i32, quantune.layer = "a", quantune.op = "ArgMax"} : (tensor<1x3x4x5xf32>) -> tensor<1x3x4xi32>
  %2 = "tosa.argmax"(%0) {axis = 1 : i32, quantune.layer = "b", quantune.op = "ArgMax"} : (tensor<1x3x4x5xf32>) -> tensor<1x4x5xi32>
  return %1, %2 : tensor<1x3x4xi32>, tensor<1x4x5xi32>
}
