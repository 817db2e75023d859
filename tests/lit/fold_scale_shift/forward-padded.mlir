// Into a padded convolution a multiply folds; a subtraction does not, as the border would no longer be zero.
// RUN: %quantune-opt %s --quantune-fold-scale-shift | filecheck %s

// CHECK-LABEL: @main
// CHECK: %[[SUB:.*]] = tosa.sub %arg0
// CHECK-NOT: tosa.mul
// CHECK: tosa.conv2d %[[SUB]]
func.func @main(%x: tensor<1x4x4x2xf32>) -> tensor<1x6x6x2xf32> {
  %z = "tosa.const"() {values = dense<0.0> : tensor<1xf32>} : () -> tensor<1xf32>
  %no_shift = "tosa.const"() {values = dense<0> : tensor<1xi8>} : () -> tensor<1xi8>
  %scale = "tosa.const"() {values = dense<[[[[10.0, 100.0]]]]> : tensor<1x1x1x2xf32>} : () -> tensor<1x1x1x2xf32>
  %shift = "tosa.const"() {values = dense<[[[[0.5, 0.25]]]]> : tensor<1x1x1x2xf32>} : () -> tensor<1x1x1x2xf32>
  %w = "tosa.const"() {values = dense<[[[[1.0, 2.0]]], [[[3.0, 4.0]]]]> : tensor<2x1x1x2xf32>} : () -> tensor<2x1x1x2xf32>
  %0 = "tosa.sub"(%x, %shift) : (tensor<1x4x4x2xf32>, tensor<1x1x1x2xf32>) -> tensor<1x4x4x2xf32>
  %1 = "tosa.mul"(%0, %scale, %no_shift) : (tensor<1x4x4x2xf32>, tensor<1x1x1x2xf32>, tensor<1xi8>) -> tensor<1x4x4x2xf32>
  %2 = "tosa.conv2d"(%1, %w, %z, %z, %z) {pad = array<i64: 1, 1, 1, 1>, stride = array<i64: 1, 1>, dilation = array<i64: 1, 1>, acc_type = f32, quantune.layer = "conv", quantune.op = "Conv"} : (tensor<1x4x4x2xf32>, tensor<2x1x1x2xf32>, tensor<1xf32>, tensor<1xf32>, tensor<1xf32>) -> tensor<1x6x6x2xf32>
  return %2 : tensor<1x6x6x2xf32>
}
