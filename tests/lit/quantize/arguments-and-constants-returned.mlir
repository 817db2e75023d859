// What no layer makes is returned as it is: an argument, a constant.
// RUN: %quantune-opt %s --quantune-quantize | filecheck %s

// CHECK-LABEL: @main(%arg0: tensor<4xf32>, %arg1: tensor<2xi64>)
// CHECK-DAG:   [[C:%.*]] = {{.*}}tosa.const{{.*}}dense<7.000000e+00>
// CHECK:       return %arg0, [[C]], %arg1
func.func @main(%x: tensor<4xf32> {quantune.qparams = {scale = 1.000000e+00 : f32, zero_point = 0 : i32}}, %i: tensor<2xi64>) -> (tensor<4xf32>, tensor<4xf32>, tensor<2xi64>) {
  %c = "tosa.const"() {values = dense<7.0> : tensor<4xf32>} : () -> tensor<4xf32>
  return %x, %c, %i : tensor<4xf32>, tensor<4xf32>, tensor<2xi64>
}
