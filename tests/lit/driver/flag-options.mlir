// A flag's value holds the pass's options.
// RUN: %quantune-opt %s --canonicalize='max-iterations=3 top-down=false' --print-ir-after-all 2>&1 | filecheck %s
// RUN: not %quantune-opt %s --quantune-cancel-transposes='depth=3' 2>&1 | filecheck %s --check-prefix=UNKNOWN

// CHECK: IR after canonicalize{max-iterations=3 top-down=false}
// UNKNOWN: option 'depth': no such option; 'quantune-cancel-transposes' knows: none
func.func @main(%x: tensor<4xf32>) -> tensor<4xf32> {
  return %x : tensor<4xf32>
}
