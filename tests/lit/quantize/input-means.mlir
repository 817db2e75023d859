// The bias makes up for what the rounding of the weights does on average: weights 127 and 0.4 become 127 and 0, so that
// the product lacks 0.4 times the mean 5 of the second channel. In a pipeline it can be
// switched off.
// RUN: %python %S/make_profile.py %t.npz %x=-128:127 c=-128:127 channels/%x=-128:127,0:10
// RUN: %quantune-opt %s --quantune-assign-input-means='profile=%t.npz' | filecheck %s --check-prefix=MEANS
// RUN: %quantune-opt %s --pipeline repair --set profile=%t.npz --set correct_bias=false | filecheck %s --check-prefix=OFF
// RUN: %quantune-opt %s --quantune-assign-input-means='profile=%t.npz' --quantune-assign-qparams='profile=%t.npz range=minmax' \
// RUN:   --quantune-quantize='requantize=integer' --quantune-remove-dead-code | filecheck %s

// MEANS:       tosa.conv2d {{.*}}quantune.input_means = array<f64: -5.000000e-01, 5.000000e+00>
// OFF-NOT:     quantune.input_means
// CHECK-NOT:   quantune.input_means
// CHECK:       dense<9> : tensor<1xi32>
func.func @main(%x: tensor<1x1x1x2xf32> {quantune.name = "x"}) -> tensor<1x1x1x1xf32> {
  %z = "tosa.const"() {values = dense<0.0> : tensor<1xf32>} : () -> tensor<1xf32>
  %w = "tosa.const"() {values = dense<[[[[127.0, 0.4]]]]> : tensor<1x1x1x2xf32>} : () -> tensor<1x1x1x2xf32>
  %b = "tosa.const"() {values = dense<7.0> : tensor<1xf32>} : () -> tensor<1xf32>
  %c = "tosa.conv2d"(%x, %w, %b, %z, %z) {acc_type = f32, dilation = array<i64: 1, 1>, pad = array<i64: 0, 0, 0, 0>, stride = array<i64: 1, 1>, quantune.layer = "c", quantune.op = "Conv", quantune.precision = "int8"} : (tensor<1x1x1x2xf32>, tensor<1x1x1x2xf32>, tensor<1xf32>, tensor<1xf32>, tensor<1xf32>) -> tensor<1x1x1x1xf32>
  return %c : tensor<1x1x1x1xf32>
}
