// A clamp of a clamp becomes one, with the labels of the second; what is rounded, or read twice, stays.
// RUN: %quantune-opt %s --quantune-join-clamps | filecheck %s

// CHECK-LABEL: @main
// CHECK:       [[A:%.*]] = tosa.clamp %arg0 {{.*}}0.0{{.*}}6.0{{.*}}quantune.layer = "rounded"
// CHECK-NEXT:  [[B:%.*]] = tosa.clamp [[A]] {{.*}}-1.0{{.*}}4.0{{.*}}quantune.layer = "after"
// CHECK-NEXT:  [[C:%.*]] = tosa.clamp [[B]] {{.*}}0.0{{.*}}3.0{{.*}}quantune.layer = "end"
// CHECK-NEXT:  return [[B]], [[C]]
func.func @main(%x: tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>) {
  %a = "tosa.clamp"(%x) {min_val = 0.0 : f32, max_val = 8.0 : f32, quantune.layer = "relu", quantune.op = "Clip"} : (tensor<4xf32>) -> tensor<4xf32>
  %b = "tosa.clamp"(%a) {min_val = -2.0 : f32, max_val = 6.0 : f32, quantune.layer = "rounded", quantune.op = "QuantizeLinear", quantune.qparams = {scale = 0.03125 : f32, zero_point = -64 : i32}} : (tensor<4xf32>) -> tensor<4xf32>
  %c = "tosa.clamp"(%b) {min_val = -1.0 : f32, max_val = 4.0 : f32, quantune.layer = "after", quantune.op = "Clip"} : (tensor<4xf32>) -> tensor<4xf32>
  %d = "tosa.clamp"(%c) {min_val = 0.0 : f32, max_val = 3.0 : f32, quantune.layer = "end", quantune.op = "Clip"} : (tensor<4xf32>) -> tensor<4xf32>
  return %c, %d : tensor<4xf32>, tensor<4xf32>
}
