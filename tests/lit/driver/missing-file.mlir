// RUN: not %quantune-opt %t.nowhere.mlir 2>&1 | filecheck %s
// RUN: not %quantune-opt %s -o %t.nowhere/x.mlir 2>&1 | filecheck %s --check-prefix=OUTPUT

// CHECK: nowhere.mlir: cannot be read: No such file or directory
// CHECK-NOT: Traceback
// OUTPUT: x.mlir: cannot be written: No such file or directory
