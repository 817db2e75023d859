// Our passes and upstream's run in the order given.
// RUN: %quantune-opt %s --print-ir-after-all -o %t \
// RUN:   --pass-pipeline='builtin.module(cse,func.func(canonicalize{max-iterations=2}), quantune-remove-dead-code, symbol-dce)' \
// RUN:   2>&1 | filecheck %s

// CHECK: IR after cse

// CHECK: IR after func.func(canonicalize{max-iterations=2})
// CHECK: IR after quantune-remove-dead-code
// CHECK-NOT: tosa.abs
// CHECK: IR after symbol-dce
func.func @main(%x: tensor<4xf32>) -> tensor<4xf32> {
  %dead = "tosa.abs"(%x) {quantune.layer = "dead"} : (tensor<4xf32>) -> tensor<4xf32>
  return %x : tensor<4xf32>
}
