// Integers alone are let through as they are.
// RUN: %quantune-opt %s --quantune-verify-integer | filecheck %s

// CHECK: tosa.add
func.func @main(%a: tensor<4xi32>) -> tensor<4xi32> {
  %0 = tosa.add %a, %a {quantune.layer = "sum", quantune.op = "Add"} : (tensor<4xi32>, tensor<4xi32>) -> tensor<4xi32>
  return %0 : tensor<4xi32>
}
