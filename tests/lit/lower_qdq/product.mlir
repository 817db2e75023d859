// A product between rounded tensors is computed in int8 with the scales that are given, and rounded in its epilogue: half
// to even, then the zero point is added.
// RUN: %quantune-opt %s --quantune-lower-qdq --quantune-remove-dead-code | filecheck %s

// CHECK-LABEL: @main
// CHECK:       [[Q:%.*]] = tosa.cast {{.*}}tensor<1x2x2x1xf32>) -> tensor<1x2x2x1xi8>
// CHECK:       values(dense<{{.*}}5{{.*}}-7{{.*}}> : tensor<2x1x1x1xi8>)
// CHECK:       tosa.conv2d [[Q]], {{.*}}-> tensor<1x2x2x2xi32>
// CHECK:       tosa.clamp {{.*}}0.000000e+00{{.*}}2.550000e+02
// CHECK:       [[R:%.*]] = tosa.cast {{.*}}tensor<1x2x2x2xf32>) -> tensor<1x2x2x2xi32>
// CHECK:       [[S:%.*]] = tosa.add [[R]]
// CHECK:       [[T:%.*]] = tosa.cast [[S]] {{.*}}-> tensor<1x2x2x2xi8>
// CHECK:       tosa.cast [[T]]
func.func @main(%x: tensor<1x2x2x1xf32>) -> tensor<1x2x2x2xf32> {
  %z = "tosa.const"() {values = dense<0.0> : tensor<1xf32>} : () -> tensor<1xf32>
  %w = "tosa.const"() {values = dense<[[[[0.5]]], [[[-1.75]]]]> : tensor<2x1x1x1xf32>} : () -> tensor<2x1x1x1xf32>
  %b = "tosa.const"() {values = dense<0.0> : tensor<2xf32>} : () -> tensor<2xf32>
  %a = "tosa.clamp"(%x) {min_val = -1.0 : f32, max_val = 0.9921875 : f32, quantune.layer = "in", quantune.op = "QuantizeLinear", quantune.qparams = {scale = 0.0078125 : f32, zero_point = 0 : i32}} : (tensor<1x2x2x1xf32>) -> tensor<1x2x2x1xf32>
  %c = "tosa.conv2d"(%a, %w, %b, %z, %z) {acc_type = f32, dilation = array<i64: 1, 1>, pad = array<i64: 0, 0, 0, 0>, stride = array<i64: 1, 1>, quantune.layer = "conv", quantune.op = "Conv", quantune.weight_scales = array<f32: 0.1, 0.25>} : (tensor<1x2x2x1xf32>, tensor<2x1x1x1xf32>, tensor<2xf32>, tensor<1xf32>, tensor<1xf32>) -> tensor<1x2x2x2xf32>
  %d = "tosa.clamp"(%c) {min_val = 0.0 : f32, max_val = 3.984375 : f32, quantune.layer = "out", quantune.op = "QuantizeLinear", quantune.qparams = {scale = 0.015625 : f32, zero_point = -128 : i32}} : (tensor<1x2x2x2xf32>) -> tensor<1x2x2x2xf32>
  return %d : tensor<1x2x2x2xf32>
}
