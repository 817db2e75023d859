// What hangs on constants only becomes one constant; the rest stays.
// RUN: %quantune-opt %s --quantune-fold-constants | filecheck %s

// CHECK-LABEL: @main
// CHECK-NEXT: tosa.const values({{(dense<)?}}{{\[\[}}5.000000e+00, 1.100000e+01{{\]\]}}
// CHECK-NEXT: tosa.add {{.*}}quantune.layer = "sum"
// CHECK-NEXT: return
func.func @main(%x: tensor<1x2xf32>) -> tensor<1x2xf32> {
  %a = "tosa.const"() {values = dense<[[2.0], [5.0]]> : tensor<2x1xf32>} : () -> tensor<2x1xf32>
  %one = "tosa.const"() {values = dense<1.0> : tensor<1x1xf32>} : () -> tensor<1x1xf32>
  %no_shift = "tosa.const"() {values = dense<0> : tensor<1xi8>} : () -> tensor<1xi8>
  %two = "tosa.const"() {values = dense<2.0> : tensor<1x1xf32>} : () -> tensor<1x1xf32>
  %0 = "tosa.transpose"(%a) {perms = array<i32: 1, 0>} : (tensor<2x1xf32>) -> tensor<1x2xf32>
  %1 = "tosa.mul"(%0, %two, %no_shift) : (tensor<1x2xf32>, tensor<1x1xf32>, tensor<1xi8>) -> tensor<1x2xf32>
  %2 = "tosa.add"(%1, %one) : (tensor<1x2xf32>, tensor<1x1xf32>) -> tensor<1x2xf32>
  %3 = "tosa.add"(%x, %2) {quantune.layer = "sum", quantune.op = "Add"} : (tensor<1x2xf32>, tensor<1x2xf32>) -> tensor<1x2xf32>
  return %3 : tensor<1x2xf32>
}
