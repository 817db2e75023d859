// A clamp that the int8 range exceeds is one of integers after the rescale.
// RUN: %quantune-opt %s --quantune-quantize='requantize=integer' | filecheck %s

// CHECK-LABEL: @main
// CHECK:       tosa.add {{.*}}-> tensor<4xi32>
// CHECK:       [[Q:%.*]] = tosa.rescale {{.*}}(tensor<4xi32>, {{.*}}-> tensor<4xi8>
// CHECK-NEXT:  tosa.clamp [[Q]] {{.*}}10 : i8{{.*}}70 : i8
func.func @main(%x: tensor<4xf32> {quantune.qparams = {scale = 1.000000e+00 : f32, zero_point = 0 : i32}}, %y: tensor<4xf32> {quantune.qparams = {scale = 1.000000e+00 : f32, zero_point = 0 : i32}}) -> (tensor<4xf32>) {
  %a = "tosa.add"(%x, %y) {quantune.layer = "a", quantune.op = "Op", quantune.precision = "int8", quantune.qparams = {scale = 1.000000e+00 : f32, zero_point = 0 : i32}} : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  %r = "tosa.clamp"(%a) {min_val = 0.0 : f32, max_val = 6.0 : f32, quantune.layer = "r", quantune.op = "Relu", quantune.precision = "int8", quantune.qparams = {scale = 1.000000e-01 : f32, zero_point = 10 : i32}} : (tensor<4xf32>) -> tensor<4xf32>
  %m = "tosa.add"(%r, %x) {quantune.layer = "m", quantune.op = "Op", quantune.precision = "int8", quantune.qparams = {scale = 1.000000e+00 : f32, zero_point = 0 : i32}} : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  return %m : tensor<4xf32>
}
