// Measures become dispatches of the kernel for their candidate's type; @energies returns the sums.
// RUN: %quantune-opt %s --quantune-lower-observers | filecheck %s

// CHECK:       quantune.measured = [{every_run = true, {{.*}}tensor_name = "a"{{.*}}}, {every_run = true, {{.*}}tensor_name = "b"
// CHECK-DAG:   util.global private mutable @quantune_energies = dense<0.000000e+00> : tensor<2x2xf64>
// CHECK:       func.func @main(%arg0: tensor<4xf32>, %arg1: tensor<4xi8>) -> tensor<4xf32>
// CHECK:       [[E:%.*]] = util.global.load @quantune_energies
// CHECK:       [[F:%.*]] = flow.dispatch @quantune_measure_int8_1::@quantune_measure_int8_1({{.*}}%arg0, %arg1, [[E]])
// CHECK:       [[G:%.*]] = flow.dispatch @quantune_measure_fp32_1::@quantune_measure_fp32_1({{.*}}%arg0, %arg0, [[F]])
// CHECK:       util.global.store [[G]], @quantune_energies
// CHECK:       func.func @energies() -> tensor<2x2xf64>
func.func @main(%x: tensor<4xf32>, %q: tensor<4xi8>) -> tensor<4xf32> {
  "quantune.measure"(%x, %q) {tensor_name = "a", noise = "local", scale = 5.000000e-01 : f32, zero_point = 3 : i32} : (tensor<4xf32>, tensor<4xi8>) -> ()
  "quantune.measure"(%x, %x) {tensor_name = "b", noise = "local", scale = 1.000000e+00 : f32, zero_point = 0 : i32} : (tensor<4xf32>, tensor<4xf32>) -> ()
  return %x : tensor<4xf32>
}
