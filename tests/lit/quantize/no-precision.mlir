// An op without a precision is an error that says what to run first.
// RUN: not %quantune-opt %s --quantune-quantize 2>&1 | filecheck %s

// CHECK: 'tosa.add' has no precision
// CHECK: quantune-assign-precision
func.func @main(%x: tensor<4xf32> {quantune.qparams = {scale = 1.000000e+00 : f32, zero_point = 0 : i32}}, %y: tensor<4xf32> {quantune.qparams = {scale = 1.000000e+00 : f32, zero_point = 0 : i32}}) -> (tensor<4xf32>) {
  %a = "tosa.add"(%x, %y) {quantune.layer = "a", quantune.op = "Op"} : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  return %a : tensor<4xf32>
}
