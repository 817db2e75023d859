// A chain that ends nowhere goes as a whole, constants too; observers and results stay.
// RUN: %quantune-opt %s --quantune-remove-dead-code | filecheck %s

// CHECK-LABEL: @main
// CHECK-NEXT: tosa.exp
// CHECK-NEXT: quantune.observe
// CHECK-NEXT: return
func.func @main(%x: tensor<4xf32>) -> tensor<4xf32> {
  %c = "tosa.const"() {values = dense<1.0> : tensor<4xf32>} : () -> tensor<4xf32>
  %0 = "tosa.add"(%x, %c) : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  %1 = "tosa.abs"(%0) : (tensor<4xf32>) -> tensor<4xf32>
  %2 = "tosa.exp"(%x) : (tensor<4xf32>) -> tensor<4xf32>
  "quantune.observe"(%2) {tensor_name = "e"} : (tensor<4xf32>) -> ()
  return %x : tensor<4xf32>
}
