// A depthwise convolution's weights are [KH, KW, C, M]; a bias of one element stands for all channels.
// RUN: %quantune-opt %s --quantune-fold-scale-shift | filecheck %s

// CHECK-LABEL: @main
// CHECK-DAG: dense<{{\[\[\[\[}}1.000000e+01], [2.000000e+02{{\]\]\]\]}}>
// CHECK-DAG: dense<[3.050000e+01, 3.002500e+02]>
// CHECK: tosa.depthwise_conv2d
// CHECK-NEXT: return
func.func @main(%x: tensor<1x4x4x2xf32>) -> tensor<1x4x4x2xf32> {
  %z = "tosa.const"() {values = dense<0.0> : tensor<1xf32>} : () -> tensor<1xf32>
  %no_shift = "tosa.const"() {values = dense<0> : tensor<1xi8>} : () -> tensor<1xi8>
  %scale = "tosa.const"() {values = dense<[[[[10.0, 100.0]]]]> : tensor<1x1x1x2xf32>} : () -> tensor<1x1x1x2xf32>
  %shift = "tosa.const"() {values = dense<[[[[0.5, 0.25]]]]> : tensor<1x1x1x2xf32>} : () -> tensor<1x1x1x2xf32>
  %w = "tosa.const"() {values = dense<[[[[1.0], [2.0]]]]> : tensor<1x1x2x1xf32>} : () -> tensor<1x1x2x1xf32>
  %b = "tosa.const"() {values = dense<[3.0]> : tensor<1xf32>} : () -> tensor<1xf32>
  %0 = "tosa.depthwise_conv2d"(%x, %w, %b, %z, %z) {pad = array<i64: 0, 0, 0, 0>, stride = array<i64: 1, 1>, dilation = array<i64: 1, 1>, acc_type = f32, quantune.layer = "conv", quantune.op = "Conv"} : (tensor<1x4x4x2xf32>, tensor<1x1x2x1xf32>, tensor<1xf32>, tensor<1xf32>, tensor<1xf32>) -> tensor<1x4x4x2xf32>
  %1 = "tosa.mul"(%scale, %0, %no_shift) : (tensor<1x1x1x2xf32>, tensor<1x4x4x2xf32>, tensor<1xi8>) -> tensor<1x4x4x2xf32>
  %2 = "tosa.add"(%1, %shift) : (tensor<1x4x4x2xf32>, tensor<1x1x1x2xf32>) -> tensor<1x4x4x2xf32>
  return %2 : tensor<1x4x4x2xf32>
}
