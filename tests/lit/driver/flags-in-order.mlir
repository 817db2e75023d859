// Each pass is a flag of its own; they run in the order given, each as often as given.
// RUN: %quantune-opt --quantune-verify-layers --cse --quantune-verify-layers %s --print-ir-after-all 2>&1 | filecheck %s

// CHECK: IR after quantune-verify-layers
// CHECK: IR after cse
// CHECK: IR after quantune-verify-layers
func.func @main(%x: tensor<4xf32>) -> tensor<4xf32> {
  return %x : tensor<4xf32>
}
