// A value is dequantized once, however many fp32 layers read it, and an input quantized once for all int8 layers.
// RUN: %quantune-opt %s --quantune-quantize='requantize=integer' | filecheck %s

// CHECK-LABEL: @main
// CHECK-COUNT-2: tosa.cast {{.*}}(tensor<4xf32>) -> tensor<4xi8>
// CHECK:         [[A:%.*]] = tosa.rescale {{.*}}layer = "a"{{.*}}(tensor<4xi32>, {{.*}}-> tensor<4xi8>
// CHECK-NOT:     tosa.cast {{.*}}-> tensor<4xi8>
// CHECK:         tosa.add {{.*}}layer = "b"
// CHECK:         tosa.cast [[A]] {{.*}}layer = "c"{{.*}}-> tensor<4xf32>
// CHECK-NOT:     tosa.cast
// CHECK:         [[F:%.*]] = tosa.mul
// CHECK-NEXT:    tosa.exp [[F]]
// CHECK-NEXT:    tosa.log [[F]]
// CHECK-NEXT:    return
func.func @main(%x: tensor<4xf32> {quantune.qparams = {scale = 1.000000e+00 : f32, zero_point = 0 : i32}}, %y: tensor<4xf32> {quantune.qparams = {scale = 1.000000e+00 : f32, zero_point = 0 : i32}}) -> (tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) {
  %a = "tosa.add"(%x, %y) {quantune.layer = "a", quantune.op = "Op", quantune.precision = "int8", quantune.qparams = {scale = 1.000000e+00 : f32, zero_point = 0 : i32}} : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  %b = "tosa.add"(%x, %a) {quantune.layer = "b", quantune.op = "Op", quantune.precision = "int8", quantune.qparams = {scale = 1.000000e+00 : f32, zero_point = 0 : i32}} : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  %c = "tosa.exp"(%a) {quantune.layer = "c", quantune.op = "Op", quantune.precision = "fp32", quantune.qparams = {scale = 1.000000e+00 : f32, zero_point = 0 : i32}} : (tensor<4xf32>) -> tensor<4xf32>
  %d = "tosa.log"(%a) {quantune.layer = "d", quantune.op = "Op", quantune.precision = "fp32", quantune.qparams = {scale = 1.000000e+00 : f32, zero_point = 0 : i32}} : (tensor<4xf32>) -> tensor<4xf32>
  return %b, %c, %d : tensor<4xf32>, tensor<4xf32>, tensor<4xf32>
}
