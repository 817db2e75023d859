// Where a function returns two results, they do not meet.
// RUN: %quantune-opt %s --quantune-join-functions | filecheck %s

// CHECK-LABEL: @main
// CHECK:       tosa.sigmoid {{.*}}quantune.layer = "a"
// CHECK-NEXT:  tosa.tanh {{.*}}quantune.layer = "b"
func.func @main(%x: tensor<1x4xf32>) -> (tensor<1x4xf32>, tensor<1x4xf32>) {
  %0 = "tosa.sigmoid"(%x) {quantune.layer = "a", quantune.op = "Sigmoid"} : (tensor<1x4xf32>) -> tensor<1x4xf32>
  %1 = "tosa.tanh"(%x) {quantune.layer = "b", quantune.op = "Tanh"} : (tensor<1x4xf32>) -> tensor<1x4xf32>
  return %0, %1 : tensor<1x4xf32>, tensor<1x4xf32>
}
