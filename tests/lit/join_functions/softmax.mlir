// A softmax that was written out becomes a layer, called after its last op; not where something else reads its sum.
// RUN: %quantune-opt %s --quantune-join-functions | filecheck %s

// CHECK-LABEL: @main
// CHECK-COUNT-6: quantune.layer = "quotient", quantune.op = "Softmax"
// CHECK-NEXT:  tosa.reduce_max {{.*}}quantune.layer = "a", quantune.op = "ReduceMax"
// CHECK-NEXT:  tosa.sub {{.*}}quantune.layer = "b", quantune.op = "Sub"
// CHECK-NEXT:  tosa.exp {{.*}}quantune.layer = "c", quantune.op = "Exp"
// CHECK-NEXT:  tosa.reduce_sum {{.*}}quantune.layer = "d", quantune.op = "ReduceSum"
// CHECK-NEXT:  tosa.reciprocal {{.*}}quantune.layer = "e", quantune.op = "Div"
// CHECK-NEXT:  tosa.mul {{.*}}quantune.layer = "e", quantune.op = "Div"
func.func @main(%x: tensor<1x4xf32>) -> (tensor<1x4xf32>, tensor<1x1xf32>) {
  %z = "tosa.const"() {values = dense<0> : tensor<1xi8>} : () -> tensor<1xi8>
  %0 = "tosa.reduce_max"(%x) {axis = 1 : i32, quantune.layer = "largest", quantune.op = "ReduceMax"} : (tensor<1x4xf32>) -> tensor<1x1xf32>
  %1 = "tosa.sub"(%x, %0) {quantune.layer = "difference", quantune.op = "Sub"} : (tensor<1x4xf32>, tensor<1x1xf32>) -> tensor<1x4xf32>
  %2 = "tosa.exp"(%1) {quantune.layer = "power", quantune.op = "Exp"} : (tensor<1x4xf32>) -> tensor<1x4xf32>
  %3 = "tosa.reduce_sum"(%2) {axis = 1 : i32, quantune.layer = "sum", quantune.op = "ReduceSum"} : (tensor<1x4xf32>) -> tensor<1x1xf32>
  %4 = "tosa.reciprocal"(%3) {quantune.layer = "quotient", quantune.op = "Div"} : (tensor<1x1xf32>) -> tensor<1x1xf32>
  %5 = "tosa.mul"(%2, %4, %z) {quantune.layer = "quotient", quantune.op = "Div"} : (tensor<1x4xf32>, tensor<1x1xf32>, tensor<1xi8>) -> tensor<1x4xf32>
  %6 = "tosa.reduce_max"(%5) {axis = 1 : i32, quantune.layer = "a", quantune.op = "ReduceMax"} : (tensor<1x4xf32>) -> tensor<1x1xf32>
  %7 = "tosa.sub"(%5, %6) {quantune.layer = "b", quantune.op = "Sub"} : (tensor<1x4xf32>, tensor<1x1xf32>) -> tensor<1x4xf32>
  %8 = "tosa.exp"(%7) {quantune.layer = "c", quantune.op = "Exp"} : (tensor<1x4xf32>) -> tensor<1x4xf32>
  %9 = "tosa.reduce_sum"(%8) {axis = 1 : i32, quantune.layer = "d", quantune.op = "ReduceSum"} : (tensor<1x4xf32>) -> tensor<1x1xf32>
  %10 = "tosa.reciprocal"(%9) {quantune.layer = "e", quantune.op = "Div"} : (tensor<1x1xf32>) -> tensor<1x1xf32>
  %11 = "tosa.mul"(%8, %10, %z) {quantune.layer = "e", quantune.op = "Div"} : (tensor<1x4xf32>, tensor<1x1xf32>, tensor<1xi8>) -> tensor<1x4xf32>
  return %11, %9 : tensor<1x4xf32>, tensor<1x1xf32>
}
