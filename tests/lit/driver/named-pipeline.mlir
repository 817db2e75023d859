// RUN: %quantune-opt %s --pipeline simplify | filecheck %s
// RUN: not %quantune-opt %s --pipeline simplfy 2>&1 | filecheck %s --check-prefix=UNKNOWN
// RUN: not %quantune-opt %s --pipeline simplify --cse 2>&1 | filecheck %s --check-prefix=BOTH

// CHECK-NOT: tosa.abs
// CHECK: return
// UNKNOWN: unknown pipeline 'simplfy'
// UNKNOWN: known: {{.*}}simplify
// BOTH: choose one of --pass-pipeline, --pipeline and pass flags
func.func @main(%x: tensor<4xf32>) -> tensor<4xf32> {
  %dead = "tosa.abs"(%x) {quantune.layer = "dead"} : (tensor<4xf32>) -> tensor<4xf32>
  return %x : tensor<4xf32>
}
