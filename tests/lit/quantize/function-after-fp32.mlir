// A piecewise linear function is computed in fp32 where its argument is: only its result is rounded, for int8 readers.
// RUN: %quantune-opt %s --quantune-quantize='requantize=float' | filecheck %s

// CHECK-LABEL: @main
// CHECK:       [[E:%.*]] = tosa.exp %arg0
// CHECK:       [[A:%.*]] = tosa.abs [[E]] {{.*}}: (tensor<4xf32>) -> tensor<4xf32>
// CHECK-NOT:   tosa.table
// CHECK:       tosa.cast {{.*}}(tensor<4xf32>) -> tensor<4xi8>
// CHECK:       return {{.*}}, [[A]]
func.func @main(%x: tensor<4xf32> {quantune.qparams = {scale = 1.000000e+00 : f32, zero_point = 0 : i32}}) -> (tensor<4xf32>, tensor<4xf32>) {
  %e = "tosa.exp"(%x) {quantune.layer = "e", quantune.op = "Op", quantune.precision = "fp32", quantune.qparams = {scale = 1.000000e+00 : f32, zero_point = 0 : i32}} : (tensor<4xf32>) -> tensor<4xf32>
  %a = "tosa.abs"(%e) {quantune.layer = "a", quantune.op = "Op", quantune.precision = "int8", quantune.qparams = {scale = 1.000000e+00 : f32, zero_point = 0 : i32}} : (tensor<4xf32>) -> tensor<4xf32>
  %s = "tosa.add"(%a, %x) {quantune.layer = "s", quantune.op = "Op", quantune.precision = "int8", quantune.qparams = {scale = 2.000000e+00 : f32, zero_point = 0 : i32}} : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  return %s, %a : tensor<4xf32>, tensor<4xf32>
}
