// A rescale with one multiplier for each index of the last axis does not let another axis become the last.
// RUN: %quantune-opt %s --quantune-cancel-transposes | filecheck %s

// CHECK-LABEL: @main
// CHECK: %[[T:.*]] = tosa.transpose %arg0
// CHECK: tosa.rescale %[[T]]
func.func @main(%x: tensor<3x2xi32>) -> tensor<2x3xi8> {
  %m = "tosa.const"() {values = dense<[1073741824, 1073741825, 1073741826]> : tensor<3xi32>} : () -> tensor<3xi32>
  %s = "tosa.const"() {values = dense<[30, 31, 32]> : tensor<3xi8>} : () -> tensor<3xi8>
  %zi = "tosa.const"() {values = dense<0> : tensor<1xi32>} : () -> tensor<1xi32>
  %zo = "tosa.const"() {values = dense<0> : tensor<1xi8>} : () -> tensor<1xi8>
  %0 = "tosa.transpose"(%x) {perms = array<i32: 1, 0>} : (tensor<3x2xi32>) -> tensor<2x3xi32>
  %1 = "tosa.rescale"(%0, %m, %s, %zi, %zo) {scale32 = true, rounding_mode = #tosa.rounding_mode<SINGLE_ROUND>, per_channel = true, input_unsigned = false, output_unsigned = false} : (tensor<2x3xi32>, tensor<3xi32>, tensor<3xi8>, tensor<1xi32>, tensor<1xi8>) -> tensor<2x3xi8>
  return %1 : tensor<2x3xi8>
}
