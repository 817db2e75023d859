// RUN: not %quantune-opt %s --pass-pipeline='quantune-remove-dead-code{speed=3}' 2>&1 | filecheck %s
// RUN: not %quantune-opt %s --pass-pipeline='cse{speed=3}' 2>&1 | filecheck %s --check-prefix=UPSTREAM

// CHECK: pipeline:1:1: quantune-remove-dead-code: option 'speed': no such option; 'quantune-remove-dead-code' knows: none
// UPSTREAM: pipeline:1:1: upstream refuses 'cse{speed=3}': {{.*}}no such option speed
func.func @main() {
  return
}
