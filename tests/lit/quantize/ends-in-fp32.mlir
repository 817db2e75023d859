// An accumulator that only fp32 ops read becomes fp32 without being rounded to int8, clamped there if a clamp follows.
// RUN: %quantune-opt %s --quantune-quantize='requantize=integer' | filecheck %s

// CHECK-LABEL: @main
// CHECK:       [[ACC:%.*]] = tosa.add {{.*}}-> tensor<4xi32>
// CHECK-NEXT:  [[F:%.*]] = tosa.cast [[ACC]] {{.*}}-> tensor<4xf32>
// CHECK-NOT:   tensor<4xi8>
// CHECK:       [[R:%.*]] = tosa.mul [[F]]
// CHECK:       [[C:%.*]] = tosa.clamp [[R]] {{.*}}0.000000e+00 : f32{{.*}}6.000000e+00 : f32
// CHECK-NEXT:  return [[C]]
func.func @main(%x: tensor<4xf32> {quantune.qparams = {scale = 1.000000e+00 : f32, zero_point = 0 : i32}}, %y: tensor<4xf32> {quantune.qparams = {scale = 1.000000e+00 : f32, zero_point = 0 : i32}}) -> (tensor<4xf32>) {
  %a = "tosa.add"(%x, %y) {quantune.layer = "a", quantune.op = "Op", quantune.precision = "int8", quantune.qparams = {scale = 1.000000e+00 : f32, zero_point = 0 : i32}} : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  %r = "tosa.clamp"(%a) {min_val = 0.0 : f32, max_val = 6.0 : f32, quantune.layer = "r", quantune.op = "Relu", quantune.precision = "int8", quantune.qparams = {scale = 1.000000e+00 : f32, zero_point = 0 : i32}} : (tensor<4xf32>) -> tensor<4xf32>
  return %r : tensor<4xf32>
}
