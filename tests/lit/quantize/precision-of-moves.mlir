// A move is int8 between int8 layers, also from the input on; before fp32 readers it is fp32; a pinned one obeys.
// RUN: echo "{format: 1, default: int8}" > %t.yaml
// RUN: %quantune-opt %s --quantune-assign-precision='plan=%t.yaml' | filecheck %s
// RUN: echo "{format: 1, default: int8, layers: [{name: m, precision: fp32}]}" > %t.pin.yaml
// RUN: %quantune-opt %s --quantune-assign-precision='plan=%t.pin.yaml' | filecheck %s --check-prefix=PIN

// CHECK-LABEL: @main
// CHECK:       layer = "v"{{.*}}precision = "int8"
// CHECK:       layer = "a"{{.*}}precision = "int8"
// CHECK:       layer = "m"{{.*}}precision = "int8"
// CHECK:       layer = "b"{{.*}}precision = "int8"
// CHECK:       layer = "w"{{.*}}precision = "fp32"
// PIN:         layer = "a"{{.*}}precision = "int8"
// PIN:         layer = "m"{{.*}}precision = "fp32"
// PIN:         layer = "b"{{.*}}precision = "int8"
func.func @main(%x: tensor<4xf32>, %y: tensor<4xf32>) -> (tensor<4xf32>) {
  %v = "tosa.reverse"(%x) {axis = 0 : i32, quantune.layer = "v", quantune.op = "Slice"} : (tensor<4xf32>) -> tensor<4xf32>
  %a = "tosa.add"(%v, %y) {quantune.layer = "a", quantune.op = "Op"} : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  %m = "tosa.reverse"(%a) {axis = 0 : i32, quantune.layer = "m", quantune.op = "Slice"} : (tensor<4xf32>) -> tensor<4xf32>
  %b = "tosa.add"(%m, %a) {quantune.layer = "b", quantune.op = "Op"} : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  %w = "tosa.reverse"(%b) {axis = 0 : i32, quantune.layer = "w", quantune.op = "Slice"} : (tensor<4xf32>) -> tensor<4xf32>
  return %w : tensor<4xf32>
}
