// A product whose weights do not say what they were stored with stays fp32, between what is rounded.
// RUN: %quantune-opt %s --quantune-lower-qdq --quantune-remove-dead-code | filecheck %s

// CHECK-LABEL: @main
// CHECK:       [[Q:%.*]] = tosa.cast {{.*}}-> tensor<1x2x2x1xi8>
// CHECK:       tosa.cast [[Q]] {{.*}}-> tensor<1x2x2x1xf32>
// CHECK:       tosa.conv2d {{.*}}-> tensor<1x2x2x2xf32>
// CHECK-NOT:   i8>
// CHECK:       return
func.func @main(%x: tensor<1x2x2x1xf32>) -> tensor<1x2x2x2xf32> {
  %z = "tosa.const"() {values = dense<0.0> : tensor<1xf32>} : () -> tensor<1xf32>
  %w = "tosa.const"() {values = dense<[[[[0.5]]], [[[-1.75]]]]> : tensor<2x1x1x1xf32>} : () -> tensor<2x1x1x1xf32>
  %b = "tosa.const"() {values = dense<0.0> : tensor<2xf32>} : () -> tensor<2xf32>
  %a = "tosa.clamp"(%x) {min_val = -1.0 : f32, max_val = 0.9921875 : f32, quantune.layer = "in", quantune.op = "QuantizeLinear", quantune.qparams = {scale = 0.0078125 : f32, zero_point = 0 : i32}} : (tensor<1x2x2x1xf32>) -> tensor<1x2x2x1xf32>
  %c = "tosa.conv2d"(%a, %w, %b, %z, %z) {acc_type = f32, dilation = array<i64: 1, 1>, pad = array<i64: 0, 0, 0, 0>, stride = array<i64: 1, 1>, quantune.layer = "conv", quantune.op = "Conv"} : (tensor<1x2x2x1xf32>, tensor<2x1x1x1xf32>, tensor<2xf32>, tensor<1xf32>, tensor<1xf32>) -> tensor<1x2x2x2xf32>
  return %c : tensor<1x2x2x2xf32>
}
