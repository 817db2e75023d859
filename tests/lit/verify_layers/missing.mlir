// The first op without a layer is named with its place; constants and layout changes need none.
// RUN: not %quantune-opt %s --quantune-verify-layers 2>&1 | filecheck %s

// CHECK: quantune-verify-layers: {{.*}}missing.mlir":{{[0-9]+}}:{{.*}}'tosa.exp' lacks quantune.op (and 1 more)
func.func @main(%x: tensor<4x3xf32>) -> tensor<3x4xf32> {
  %c = "tosa.const"() {values = dense<1.0> : tensor<3x4xf32>} : () -> tensor<3x4xf32>
  %t = "tosa.transpose"(%x) {perms = array<i32: 1, 0>} : (tensor<4x3xf32>) -> tensor<3x4xf32>
  %0 = "tosa.abs"(%t) {quantune.layer = "a", quantune.op = "Abs"} : (tensor<3x4xf32>) -> tensor<3x4xf32>
  %1 = "tosa.exp"(%0) {quantune.layer = "e"} : (tensor<3x4xf32>) -> tensor<3x4xf32>
  %2 = "tosa.add"(%1, %c) : (tensor<3x4xf32>, tensor<3x4xf32>) -> tensor<3x4xf32>
  return %2 : tensor<3x4xf32>
}
