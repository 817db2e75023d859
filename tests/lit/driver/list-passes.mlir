// RUN: %quantune-opt --list-passes | filecheck %s

// CHECK: quantune-cancel-transposes
// CHECK-NEXT: Cancel transposes
// CHECK: quantune-verify-layers
// CHECK: named pipelines:{{.*}} simplify
