// Functions within a function: of GELU's approximation the cube is one by itself, and then a part of the whole.
// RUN: %quantune-opt %s --quantune-join-functions | filecheck %s

// CHECK-LABEL: @main
// CHECK-COUNT-7: quantune.layer = "gelu", quantune.op = "Mul"
// CHECK-NEXT:  return
func.func @main(%x: tensor<1x4xf32>) -> tensor<1x4xf32> {
  %z = "tosa.const"() {values = dense<0> : tensor<1xi8>} : () -> tensor<1xi8>
  %one = "tosa.const"() {values = dense<1.0> : tensor<1x1xf32>} : () -> tensor<1x1xf32>
  %share = "tosa.const"() {values = dense<0.044715> : tensor<1x1xf32>} : () -> tensor<1x1xf32>
  %0 = "tosa.mul"(%x, %x, %z) {quantune.layer = "square", quantune.op = "Mul"} : (tensor<1x4xf32>, tensor<1x4xf32>, tensor<1xi8>) -> tensor<1x4xf32>
  %1 = "tosa.mul"(%0, %x, %z) {quantune.layer = "cube", quantune.op = "Mul"} : (tensor<1x4xf32>, tensor<1x4xf32>, tensor<1xi8>) -> tensor<1x4xf32>
  %2 = "tosa.mul"(%1, %share, %z) {quantune.layer = "share", quantune.op = "Mul"} : (tensor<1x4xf32>, tensor<1x1xf32>, tensor<1xi8>) -> tensor<1x4xf32>
  %3 = "tosa.add"(%x, %2) {quantune.layer = "inner", quantune.op = "Add"} : (tensor<1x4xf32>, tensor<1x4xf32>) -> tensor<1x4xf32>
  %4 = "tosa.tanh"(%3) {quantune.layer = "tanh", quantune.op = "Tanh"} : (tensor<1x4xf32>) -> tensor<1x4xf32>
  %5 = "tosa.add"(%4, %one) {quantune.layer = "outer", quantune.op = "Add"} : (tensor<1x4xf32>, tensor<1x1xf32>) -> tensor<1x4xf32>
  %6 = "tosa.mul"(%x, %5, %z) {quantune.layer = "gelu", quantune.op = "Mul"} : (tensor<1x4xf32>, tensor<1x4xf32>, tensor<1xi8>) -> tensor<1x4xf32>
  return %6 : tensor<1x4xf32>
}
