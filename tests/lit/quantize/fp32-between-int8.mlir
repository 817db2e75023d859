// A layer in fp32 between layers in int8 stands between one dequantization and one quantization.
// RUN: %quantune-opt %s --quantune-quantize | filecheck %s

// CHECK-LABEL: @main
// CHECK:       tosa.add {{.*}}layer = "a"{{.*}}-> tensor<4xi32>
// CHECK-NEXT:  tosa.cast {{.*}}-> tensor<4xf32>
// CHECK-NOT:   tensor<4xi8>
// CHECK:       [[F:%.*]] = tosa.exp {{.*}}layer = "b"
// CHECK-NOT:   tosa.rescale
// CHECK:       [[Q:%.*]] = tosa.cast {{.*}}(tensor<4xf32>) -> tensor<4xi8>
// CHECK:       tosa.table [[Q]]{{.*}}layer = "c"
func.func @main(%x: tensor<4xf32> {quantune.qparams = {scale = 1.000000e+00 : f32, zero_point = 0 : i32}}, %y: tensor<4xf32> {quantune.qparams = {scale = 1.000000e+00 : f32, zero_point = 0 : i32}}) -> (tensor<4xf32>) {
  %a = "tosa.add"(%x, %y) {quantune.layer = "a", quantune.op = "Op", quantune.precision = "int8", quantune.qparams = {scale = 1.000000e+00 : f32, zero_point = 0 : i32}} : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  %b = "tosa.exp"(%a) {quantune.layer = "b", quantune.op = "Op", quantune.precision = "fp32", quantune.qparams = {scale = 1.000000e+00 : f32, zero_point = 0 : i32}} : (tensor<4xf32>) -> tensor<4xf32>
  %c = "tosa.sigmoid"(%b) {quantune.layer = "c", quantune.op = "Op", quantune.precision = "int8", quantune.qparams = {scale = 1.000000e+00 : f32, zero_point = 0 : i32}} : (tensor<4xf32>) -> tensor<4xf32>
  return %c : tensor<4xf32>
}
