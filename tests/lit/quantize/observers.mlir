// Observers stand at the fp32 inputs and at new values: not at moved or integer ones, nor inside a function of one tensor.
// RUN: %quantune-opt %s --quantune-insert-observers | filecheck %s

// CHECK-LABEL: @main
// CHECK-NEXT:  "quantune.observe"(%arg0) {tensor_name = "%x"}
// CHECK-NOT:   quantune.observe
// CHECK:       tosa.exp
// CHECK-NEXT:  [[S:%.*]] = tosa.negate
// CHECK-NEXT:  "quantune.observe"([[S]]) {tensor_name = "s"}
// CHECK:       tosa.reverse
// CHECK-NEXT:  [[A:%.*]] = tosa.add
// CHECK-NEXT:  "quantune.observe"([[A]]) {tensor_name = "a"}
// CHECK-NEXT:  tosa.argmax
// CHECK-NEXT:  return
func.func @main(%x: tensor<4xf32> {quantune.name = "x"}, %i: tensor<4xi32> {quantune.name = "i"}) -> (tensor<i32>, tensor<4xi32>) {
  %z = "tosa.const"() {values = dense<0.0> : tensor<1xf32>} : () -> tensor<1xf32>
  %e = "tosa.exp"(%x) {quantune.layer = "s", quantune.op = "S"} : (tensor<4xf32>) -> tensor<4xf32>
  %s = "tosa.negate"(%e, %z, %z) {quantune.layer = "s", quantune.op = "S"} : (tensor<4xf32>, tensor<1xf32>, tensor<1xf32>) -> tensor<4xf32>
  %v = "tosa.reverse"(%s) {axis = 0 : i32, quantune.layer = "v", quantune.op = "Slice"} : (tensor<4xf32>) -> tensor<4xf32>
  %a = "tosa.add"(%v, %x) {quantune.layer = "a", quantune.op = "Op"} : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  %m = "tosa.argmax"(%a) {axis = 0 : i32, quantune.layer = "m", quantune.op = "ArgMax"} : (tensor<4xf32>) -> tensor<i32>
  return %m, %i : tensor<i32>, tensor<4xi32>
}
