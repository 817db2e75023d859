// A product without bias takes the multiplies, past the add that stands for its bias; adds merge.
// RUN: %quantune-opt %s --quantune-fold-scale-shift | filecheck %s

// CHECK-LABEL: @main
// CHECK: dense<{{\[\[\[}}1.000000e+01, 2.000000e+02], [3.000000e+01, 4.000000e+02{{\]\]\]}}>
// CHECK: tosa.matmul
// CHECK: dense<{{\[\[\[}}1.050000e+01, 1.002500e+02{{\]\]\]}}>
// CHECK-NEXT: tosa.add
// CHECK-NEXT: return
func.func @main(%x: tensor<1x3x2xf32>) -> tensor<1x3x2xf32> {
  %z = "tosa.const"() {values = dense<0.0> : tensor<1xf32>} : () -> tensor<1xf32>
  %no_shift = "tosa.const"() {values = dense<0> : tensor<1xi8>} : () -> tensor<1xi8>
  %scale = "tosa.const"() {values = dense<[[[10.0, 100.0]]]> : tensor<1x1x2xf32>} : () -> tensor<1x1x2xf32>
  %shift = "tosa.const"() {values = dense<[[[0.5, 0.25]]]> : tensor<1x1x2xf32>} : () -> tensor<1x1x2xf32>
  %bias = "tosa.const"() {values = dense<1.0> : tensor<1x1x2xf32>} : () -> tensor<1x1x2xf32>
  %w = "tosa.const"() {values = dense<[[[1.0, 2.0], [3.0, 4.0]]]> : tensor<1x2x2xf32>} : () -> tensor<1x2x2xf32>
  %0 = "tosa.matmul"(%x, %w, %z, %z) : (tensor<1x3x2xf32>, tensor<1x2x2xf32>, tensor<1xf32>, tensor<1xf32>) -> tensor<1x3x2xf32>
  %1 = "tosa.add"(%0, %bias) : (tensor<1x3x2xf32>, tensor<1x1x2xf32>) -> tensor<1x3x2xf32>
  %2 = "tosa.mul"(%1, %scale, %no_shift) : (tensor<1x3x2xf32>, tensor<1x1x2xf32>, tensor<1xi8>) -> tensor<1x3x2xf32>
  %3 = "tosa.add"(%2, %shift) : (tensor<1x3x2xf32>, tensor<1x1x2xf32>) -> tensor<1x3x2xf32>
  return %3 : tensor<1x3x2xf32>
}
