// A clamp that the int8 range holds to anyway costs nothing: its op is gone, and the rescale has its parameters.
// RUN: %quantune-opt %s --quantune-quantize='requantize=integer' | filecheck %s

// CHECK-LABEL: @main
// CHECK:       [[ACC:%.*]] = tosa.add {{.*}}-> tensor<4xi32>
// CHECK:       [[ZP:%.*]] = tosa.const  values(dense<-128> : tensor<1xi8>)
// CHECK:       tosa.rescale [[ACC]], {{.*}}[[ZP]] {{.*}}-> tensor<4xi8>
// CHECK-NOT:   tosa.clamp
// CHECK:       return
func.func @main(%x: tensor<4xf32> {quantune.qparams = {scale = 1.000000e+00 : f32, zero_point = 0 : i32}}, %y: tensor<4xf32> {quantune.qparams = {scale = 1.000000e+00 : f32, zero_point = 0 : i32}}) -> (tensor<4xf32>) {
  %shift = "tosa.const"() {values = dense<0> : tensor<1xi8>} : () -> tensor<1xi8>
  %a = "tosa.add"(%x, %y) {quantune.layer = "a", quantune.op = "Op", quantune.precision = "int8", quantune.qparams = {scale = 1.000000e+00 : f32, zero_point = 0 : i32}} : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  %r = "tosa.clamp"(%a) {min_val = 0.0 : f32, max_val = 6.0 : f32, quantune.layer = "r", quantune.op = "Relu", quantune.precision = "int8", quantune.qparams = {scale = 2.352941e-02 : f32, zero_point = -128 : i32}} : (tensor<4xf32>) -> tensor<4xf32>
  %m = "tosa.mul"(%r, %r, %shift) {quantune.layer = "m", quantune.op = "Op", quantune.precision = "int8", quantune.qparams = {scale = 1.000000e+00 : f32, zero_point = 0 : i32}} : (tensor<4xf32>, tensor<4xf32>, tensor<1xi8>) -> tensor<4xf32>
  return %m : tensor<4xf32>
}
