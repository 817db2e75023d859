// A parse error is one message with file, line and column.
// RUN: not %quantune-opt %s 2>&1 | filecheck %s
// RUN: not %quantune-opt < %s 2>&1 | filecheck %s --check-prefix=STDIN
// RUN: not %quantune-opt %s --debug 2>&1 | filecheck %s --check-prefix=DEBUG

// CHECK: error: {{.*}}parse-error.mlir:{{[0-9]+}}:{{[0-9]+}}: expected
// CHECK-NOT: Traceback
// STDIN: error: <stdin>:{{[0-9]+}}:{{[0-9]+}}: expected
// DEBUG: Traceback
func.func @main( {
