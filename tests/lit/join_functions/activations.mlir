// Activations that were written out become a layer each, named after the last op: whatever the order, and with the factor
// that follows.
// RUN: %quantune-opt %s --quantune-join-functions | filecheck %s

// CHECK-LABEL: @main
// CHECK:       tosa.add {{.*}}quantune.layer = "swish", quantune.op = "Div"
// CHECK-NEXT:  tosa.clamp {{.*}}quantune.layer = "swish", quantune.op = "Div"
// CHECK-NEXT:  tosa.mul {{.*}}quantune.layer = "swish", quantune.op = "Div"
// CHECK-NEXT:  tosa.mul {{.*}}quantune.layer = "swish", quantune.op = "Div"
// CHECK-NEXT:  tosa.sigmoid {{.*}}quantune.layer = "silu", quantune.op = "Mul"
// CHECK-NEXT:  tosa.mul {{.*}}quantune.layer = "silu", quantune.op = "Mul"
func.func @main(%x: tensor<1x4xf32>) -> tensor<1x4xf32> {
  %z = "tosa.const"() {values = dense<0> : tensor<1xi8>} : () -> tensor<1xi8>
  %three = "tosa.const"() {values = dense<3.0> : tensor<1x1xf32>} : () -> tensor<1x1xf32>
  %sixth = "tosa.const"() {values = dense<0.166666667> : tensor<1x1xf32>} : () -> tensor<1x1xf32>
  %0 = "tosa.add"(%x, %three) {quantune.layer = "a", quantune.op = "Add"} : (tensor<1x4xf32>, tensor<1x1xf32>) -> tensor<1x4xf32>
  %1 = "tosa.clamp"(%0) {min_val = 0.0 : f32, max_val = 6.0 : f32, quantune.layer = "b", quantune.op = "Clip"} : (tensor<1x4xf32>) -> tensor<1x4xf32>
  %2 = "tosa.mul"(%1, %x, %z) {quantune.layer = "c", quantune.op = "Mul"} : (tensor<1x4xf32>, tensor<1x4xf32>, tensor<1xi8>) -> tensor<1x4xf32>
  %3 = "tosa.mul"(%2, %sixth, %z) {quantune.layer = "swish", quantune.op = "Div"} : (tensor<1x4xf32>, tensor<1x1xf32>, tensor<1xi8>) -> tensor<1x4xf32>
  %4 = "tosa.sigmoid"(%3) {quantune.layer = "d", quantune.op = "Sigmoid"} : (tensor<1x4xf32>) -> tensor<1x4xf32>
  %5 = "tosa.mul"(%3, %4, %z) {quantune.layer = "silu", quantune.op = "Mul"} : (tensor<1x4xf32>, tensor<1x4xf32>, tensor<1xi8>) -> tensor<1x4xf32>
  return %5 : tensor<1x4xf32>
}
