// A misspelt pass is named with its place, and the nearest name is suggested.
// RUN: not %quantune-opt %s --pass-pipeline='builtin.module(cse,quantune-cancel-transpose)' 2>&1 | filecheck %s
// RUN: not %quantune-opt %s --pass-pipeline='builtin.module(canonicalise)' 2>&1 | filecheck %s --check-prefix=UPSTREAM

// CHECK: error: pipeline:1:20: unknown pass 'quantune-cancel-transpose'
// CHECK-NEXT: did you mean 'quantune-cancel-transposes'?
// UPSTREAM: error: pipeline:1:16: unknown pass 'canonicalise'
// UPSTREAM-NEXT: did you mean 'canonicalize'?
// CHECK-NOT: Traceback
func.func @main() {
  return
}
