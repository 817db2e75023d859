// A result that an int8 layer reads as well stays int8, and is dequantized for the caller, in its own layer's name.
// RUN: %quantune-opt %s --quantune-quantize='requantize=integer' | filecheck %s

// CHECK-LABEL: @main
// CHECK:       [[A:%.*]] = tosa.rescale {{.*}}layer = "a"{{.*}}(tensor<4xi32>, {{.*}}-> tensor<4xi8>
// CHECK:       tosa.add {{.*}}layer = "b"
// CHECK:       [[D:%.*]] = tosa.cast [[A]] {{.*}}layer = "a"{{.*}}-> tensor<4xf32>
// CHECK:       [[R:%.*]] = tosa.mul [[D]], {{.*}}layer = "a"
// CHECK-NEXT:  return [[R]], %{{.*}}, [[R]]
func.func @main(%x: tensor<4xf32> {quantune.qparams = {scale = 1.000000e+00 : f32, zero_point = 0 : i32}}, %y: tensor<4xf32> {quantune.qparams = {scale = 1.000000e+00 : f32, zero_point = 0 : i32}}) -> (tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) {
  %a = "tosa.add"(%x, %y) {quantune.layer = "a", quantune.op = "Op", quantune.precision = "int8", quantune.qparams = {scale = 1.000000e+00 : f32, zero_point = 0 : i32}} : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  %b = "tosa.add"(%a, %y) {quantune.layer = "b", quantune.op = "Op", quantune.precision = "int8", quantune.qparams = {scale = 1.000000e+00 : f32, zero_point = 0 : i32}} : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  %c = "tosa.add"(%b, %x) {quantune.layer = "c", quantune.op = "Op", quantune.precision = "int8", quantune.qparams = {scale = 1.000000e+00 : f32, zero_point = 0 : i32}} : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  return %a, %c, %a : tensor<4xf32>, tensor<4xf32>, tensor<4xf32>
}
