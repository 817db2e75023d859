// Layers stay apart where something else reads what is between, and where two tensors meet.
// RUN: %quantune-opt %s --quantune-join-functions | filecheck %s

// CHECK-LABEL: @main
// CHECK:       tosa.sigmoid {{.*}}quantune.layer = "a"
// CHECK-NEXT:  tosa.mul {{.*}}quantune.layer = "b"
// CHECK-NEXT:  tosa.tanh {{.*}}quantune.layer = "c"
// CHECK-NEXT:  tosa.mul {{.*}}quantune.layer = "d"
func.func @main(%x: tensor<1x4xf32>, %y: tensor<1x4xf32>) -> (tensor<1x4xf32>, tensor<1x4xf32>, tensor<1x4xf32>) {
  %z = "tosa.const"() {values = dense<0> : tensor<1xi8>} : () -> tensor<1xi8>
  %0 = "tosa.sigmoid"(%x) {quantune.layer = "a", quantune.op = "Sigmoid"} : (tensor<1x4xf32>) -> tensor<1x4xf32>
  %1 = "tosa.mul"(%x, %0, %z) {quantune.layer = "b", quantune.op = "Mul"} : (tensor<1x4xf32>, tensor<1x4xf32>, tensor<1xi8>) -> tensor<1x4xf32>
  %2 = "tosa.tanh"(%x) {quantune.layer = "c", quantune.op = "Tanh"} : (tensor<1x4xf32>) -> tensor<1x4xf32>
  %3 = "tosa.mul"(%2, %y, %z) {quantune.layer = "d", quantune.op = "Mul"} : (tensor<1x4xf32>, tensor<1x4xf32>, tensor<1xi8>) -> tensor<1x4xf32>
  return %0, %1, %3 : tensor<1x4xf32>, tensor<1x4xf32>, tensor<1x4xf32>
}
