// RUN: %quantune-opt %s --quantune-join-functions | filecheck %s

// A function's end reads many values and gives none.

// CHECK: %[[A:.*]] = tosa.exp %{{.*}} {quantune.layer = "a", quantune.op = "Exp"}
// CHECK: %[[B:.*]] = tosa.tanh %{{.*}} {quantune.layer = "b", quantune.op = "Tanh"}
// CHECK: return %[[A]], %[[B]]
func.func @main(%x: tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>) {
  %a = tosa.exp %x {quantune.layer = "a", quantune.op = "Exp"} : (tensor<4xf32>) -> tensor<4xf32>
  %b = tosa.tanh %x {quantune.layer = "b", quantune.op = "Tanh"} : (tensor<4xf32>) -> tensor<4xf32>
  return %a, %b : tensor<4xf32>, tensor<4xf32>
}
