// Without a convolution before it, a scale and shift goes into the one after it, if that does not pad.
// RUN: %quantune-opt %s --quantune-fold-scale-shift | filecheck %s

// CHECK-LABEL: @main
// CHECK-DAG: dense<{{\[\[\[\[}}1.000000e+01, 2.000000e+02{{\]\]\]}}, {{\[\[\[}}3.000000e+01, 4.000000e+02{{\]\]\]\]}}>
// CHECK-DAG: dense<[8.000000e+00, 1.050000e+01]>
// CHECK: tosa.conv2d %arg0
// CHECK-NEXT: return
func.func @main(%x: tensor<1x4x4x2xf32>) -> tensor<1x4x4x2xf32> {
  %z = "tosa.const"() {values = dense<0.0> : tensor<1xf32>} : () -> tensor<1xf32>
  %no_shift = "tosa.const"() {values = dense<0> : tensor<1xi8>} : () -> tensor<1xi8>
  %scale = "tosa.const"() {values = dense<[[[[10.0, 100.0]]]]> : tensor<1x1x1x2xf32>} : () -> tensor<1x1x1x2xf32>
  %shift = "tosa.const"() {values = dense<[[[[0.5, 0.25]]]]> : tensor<1x1x1x2xf32>} : () -> tensor<1x1x1x2xf32>
  %w = "tosa.const"() {values = dense<[[[[1.0, 2.0]]], [[[3.0, 4.0]]]]> : tensor<2x1x1x2xf32>} : () -> tensor<2x1x1x2xf32>
  %b = "tosa.const"() {values = dense<[7.0, 8.0]> : tensor<2xf32>} : () -> tensor<2xf32>
  %0 = "tosa.mul"(%x, %scale, %no_shift) {quantune.layer = "bn"} : (tensor<1x4x4x2xf32>, tensor<1x1x1x2xf32>, tensor<1xi8>) -> tensor<1x4x4x2xf32>
  %1 = "tosa.add"(%0, %shift) {quantune.layer = "bn"} : (tensor<1x4x4x2xf32>, tensor<1x1x1x2xf32>) -> tensor<1x4x4x2xf32>
  %2 = "tosa.conv2d"(%1, %w, %b, %z, %z) {pad = array<i64: 0, 0, 0, 0>, stride = array<i64: 1, 1>, dilation = array<i64: 1, 1>, acc_type = f32, quantune.layer = "conv", quantune.op = "Conv"} : (tensor<1x4x4x2xf32>, tensor<2x1x1x2xf32>, tensor<2xf32>, tensor<1xf32>, tensor<1xf32>) -> tensor<1x4x4x2xf32>
  return %2 : tensor<1x4x4x2xf32>
}
