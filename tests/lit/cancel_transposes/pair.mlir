// A transpose and its inverse cancel; the elementwise op between them keeps its label.
// RUN: %quantune-opt %s --quantune-cancel-transposes | filecheck %s

// CHECK-LABEL: @main
// CHECK-NOT: tosa.transpose
// CHECK: tosa.abs {{.*}}quantune.layer = "relu", quantune.op = "Abs"} : (tensor<1x4x5x3xf32>)
// CHECK-NOT: tosa.transpose
func.func @main(%x: tensor<1x4x5x3xf32>) -> tensor<1x4x5x3xf32> {
  %0 = "tosa.transpose"(%x) {perms = array<i32: 0, 3, 1, 2>} : (tensor<1x4x5x3xf32>) -> tensor<1x3x4x5xf32>
  %1 = "tosa.abs"(%0) {quantune.layer = "relu", quantune.op = "Abs"} : (tensor<1x3x4x5xf32>) -> tensor<1x3x4x5xf32>
  %2 = "tosa.transpose"(%1) {perms = array<i32: 0, 2, 3, 1>} : (tensor<1x3x4x5xf32>) -> tensor<1x4x5x3xf32>
  return %2 : tensor<1x4x5x3xf32>
}
