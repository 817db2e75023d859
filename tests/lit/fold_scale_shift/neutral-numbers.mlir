// What a factor of ones, a term of zeros or a negation does to a value is no reason to put another op's number in its place.
// RUN: %quantune-opt %s --quantune-fold-scale-shift | filecheck %s

// CHECK-LABEL: @main
// CHECK-DAG: [[ONES:%.+]] = tosa.const {{.*}}dense<1.000000e+00>
// CHECK-DAG: [[ZEROS:%.+]] = tosa.const {{.*}}dense<0.000000e+00>
// CHECK-DAG: [[NUMBERS:%.+]] = tosa.const {{.*}}3.000000e+00, 5.000000e+00
// CHECK: [[A:%.+]] = tosa.mul %arg0, [[ONES]]
// CHECK: tosa.add [[A]], [[NUMBERS]]
// CHECK: [[B:%.+]] = tosa.add %arg0, [[ZEROS]]
// CHECK: tosa.mul [[B]], [[NUMBERS]]
// CHECK: [[C:%.+]] = tosa.sub [[ZEROS]], %arg0
// CHECK: tosa.mul [[C]], [[NUMBERS]]
func.func @main(%x: tensor<1x4x2xf32>) -> (tensor<1x4x2xf32>, tensor<1x4x2xf32>, tensor<1x4x2xf32>) {
  %no_shift = "tosa.const"() {values = dense<0> : tensor<1xi8>} : () -> tensor<1xi8>
  %ones = "tosa.const"() {values = dense<1.0> : tensor<1x1x2xf32>} : () -> tensor<1x1x2xf32>
  %zeros = "tosa.const"() {values = dense<0.0> : tensor<1x1x2xf32>} : () -> tensor<1x1x2xf32>
  %numbers = "tosa.const"() {values = dense<[[[3.0, 5.0]]]> : tensor<1x1x2xf32>} : () -> tensor<1x1x2xf32>
  %0 = "tosa.mul"(%x, %ones, %no_shift) : (tensor<1x4x2xf32>, tensor<1x1x2xf32>, tensor<1xi8>) -> tensor<1x4x2xf32>
  %1 = "tosa.add"(%0, %numbers) : (tensor<1x4x2xf32>, tensor<1x1x2xf32>) -> tensor<1x4x2xf32>
  %2 = "tosa.add"(%x, %zeros) : (tensor<1x4x2xf32>, tensor<1x1x2xf32>) -> tensor<1x4x2xf32>
  %3 = "tosa.mul"(%2, %numbers, %no_shift) : (tensor<1x4x2xf32>, tensor<1x1x2xf32>, tensor<1xi8>) -> tensor<1x4x2xf32>
  %4 = "tosa.sub"(%zeros, %x) : (tensor<1x1x2xf32>, tensor<1x4x2xf32>) -> tensor<1x4x2xf32>
  %5 = "tosa.mul"(%4, %numbers, %no_shift) : (tensor<1x4x2xf32>, tensor<1x1x2xf32>, tensor<1xi8>) -> tensor<1x4x2xf32>
  return %1, %3, %5 : tensor<1x4x2xf32>, tensor<1x4x2xf32>, tensor<1x4x2xf32>
}
