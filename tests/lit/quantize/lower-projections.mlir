// Projections add up two inner products a layer, each in 64 lanes, which become energies after those of the measures
// when the function ends.
// RUN: %quantune-opt %s --quantune-lower-observers | filecheck %s

// CHECK:       quantune.measured = [{every_run = false, noise = "{{.*}}", {{.*}}}, {every_run = false, noise = "projected", {{.*}}}, {every_run = false, noise = "projected lanes"
// CHECK-DAG:   util.global private mutable @quantune_energies = dense<0.000000e+00> : tensor<3x2xf64>
// CHECK:       func.func @probe
// CHECK:       [[S:%.*]] = arith.constant dense<0.000000e+00> : tensor<128xf64>
// CHECK:       [[E:%.*]] = util.global.load @quantune_energies
// CHECK:       [[F:%.*]] = flow.dispatch @quantune_measure_int8_1::@quantune_measure_int8_1({{.*}}%arg1, %arg2, [[E]])
// CHECK:       [[T:%.*]] = flow.dispatch @quantune_project_int8_1::@quantune_project_int8_1({{.*}}%arg0, %arg1, %arg2, [[S]])
// CHECK:       [[U:%.*]] = flow.dispatch @quantune_project_fp32_1::@quantune_project_fp32_1({{.*}}%arg0, %arg1, %arg0, [[T]])
// CHECK:       flow.dispatch @quantune_square_projections::@square({{.*}}[[U]], %{{.*}})
// CHECK:       util.global.store {{.*}}, @quantune_energies
// CHECK:       func.func @energies() -> tensor<3x2xf64>
func.func @main(%x: tensor<4xf32>) -> tensor<4xf32> {
  return %x : tensor<4xf32>
}
func.func @probe(%c: tensor<4xf32>, %x: tensor<4xf32>, %q: tensor<4xi8>) -> tensor<4xf32> {
  "quantune.measure"(%x, %q) {tensor_name = "a", noise = "local", scale = 5.000000e-01 : f32, zero_point = 3 : i32} : (tensor<4xf32>, tensor<4xi8>) -> ()
  "quantune.project"(%c, %x, %q) {tensor_name = "a", part = "made", scale = 5.000000e-01 : f32, zero_point = 3 : i32} : (tensor<4xf32>, tensor<4xf32>, tensor<4xi8>) -> ()
  "quantune.project"(%c, %x, %c) {tensor_name = "a", part = "kept", scale = 1.000000e+00 : f32, zero_point = 0 : i32} : (tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) -> ()
  return %x : tensor<4xf32>
}
