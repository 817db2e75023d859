// A convolution of a constant, which nobody computed at import, is no layer whose bias could be corrected.
// RUN: %python %S/make_profile.py %t.npz %x=-128:127 c=-128:127
// RUN: %quantune-opt %s --quantune-assign-input-means='profile=%t.npz' | filecheck %s

// CHECK:     tosa.conv2d
// CHECK-NOT: quantune.input_means
// CHECK:     return
func.func @main(%x: tensor<1x1x1x1xf32> {quantune.name = "x"}) -> tensor<1x1x1x1xf32> {
  %k = "tosa.const"() {values = dense<[[[[3.0, 0.5]]]]> : tensor<1x1x1x2xf32>} : () -> tensor<1x1x1x2xf32>
  %z = "tosa.const"() {values = dense<0.0> : tensor<1xf32>} : () -> tensor<1xf32>
  %w = "tosa.const"() {values = dense<[[[[127.0, 0.4]]]]> : tensor<1x1x1x2xf32>} : () -> tensor<1x1x1x2xf32>
  %b = "tosa.const"() {values = dense<7.0> : tensor<1xf32>} : () -> tensor<1xf32>
  %c = "tosa.conv2d"(%k, %w, %b, %z, %z) {acc_type = f32, dilation = array<i64: 1, 1>, pad = array<i64: 0, 0, 0, 0>, stride = array<i64: 1, 1>, quantune.layer = "c", quantune.op = "Conv"} : (tensor<1x1x1x2xf32>, tensor<1x1x1x2xf32>, tensor<1xf32>, tensor<1xf32>, tensor<1xf32>) -> tensor<1x1x1x1xf32>
  %a = "tosa.add"(%x, %c) {quantune.layer = "a", quantune.op = "Add"} : (tensor<1x1x1x1xf32>, tensor<1x1x1x1xf32>) -> tensor<1x1x1x1xf32>
  return %a : tensor<1x1x1x1xf32>
}
