// The plan decides on layers; a clamp that folds is what its sum is, and a layer without an int8 form is fp32.
// RUN: echo "{format: 1, default: int8, layers: [{name: b, precision: fp32}]}" > %t.yaml
// RUN: %quantune-opt %s --quantune-assign-precision='plan=%t.yaml' | filecheck %s

// CHECK-LABEL: @main
// CHECK:       tosa.add {{.*}}layer = "a"{{.*}}precision = "int8"
// CHECK:       tosa.clamp {{.*}}layer = "r"{{.*}}precision = "int8"
// CHECK:       tosa.add {{.*}}layer = "b"{{.*}}precision = "fp32"
// CHECK:       tosa.clamp {{.*}}layer = "s"{{.*}}precision = "fp32"
// CHECK:       tosa.reverse {{.*}}precision = "fp32"
// CHECK:       tosa.argmax {{.*}}precision = "fp32"
func.func @main(%x: tensor<4xf32>, %y: tensor<4xf32>) -> (tensor<i32>) {
  %a = "tosa.add"(%x, %y) {quantune.layer = "a", quantune.op = "Op"} : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  %r = "tosa.clamp"(%a) {min_val = 0.0 : f32, max_val = 6.0 : f32, quantune.layer = "r", quantune.op = "Relu"} : (tensor<4xf32>) -> tensor<4xf32>
  %b = "tosa.add"(%r, %y) {quantune.layer = "b", quantune.op = "Op"} : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  %s = "tosa.clamp"(%b) {min_val = 0.0 : f32, max_val = 6.0 : f32, quantune.layer = "s", quantune.op = "Relu"} : (tensor<4xf32>) -> tensor<4xf32>
  %v = "tosa.reverse"(%s) {axis = 0 : i32, quantune.layer = "v", quantune.op = "Slice"} : (tensor<4xf32>) -> tensor<4xf32>
  %i = "tosa.argmax"(%v) {axis = 0 : i32, quantune.layer = "i", quantune.op = "ArgMax"} : (tensor<4xf32>) -> tensor<i32>
  return %i : tensor<i32>
}
