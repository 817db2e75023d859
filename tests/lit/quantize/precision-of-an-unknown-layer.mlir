// A plan that names a layer that is not there is refused, with the nearest name.
// RUN: echo "{format: 1, default: int8, layers: [{name: ad, precision: fp32}]}" > %t.yaml
// RUN: not %quantune-opt %s --quantune-assign-precision='plan=%t.yaml' 2>&1 | filecheck %s

// CHECK: the model has no layer 'ad'
// CHECK: did you mean 'add'
func.func @main(%x: tensor<4xf32>, %y: tensor<4xf32>) -> (tensor<4xf32>) {
  %a = "tosa.add"(%x, %y) {quantune.layer = "add", quantune.op = "Op"} : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  return %a : tensor<4xf32>
}
