// Modules between separators are run one by one; lines of errors count from the file's start.
// RUN: %quantune-opt %s --split-input-file | filecheck %s
// RUN: sed -e 's/@second() {/@second( {/' %s > %t.mlir
// RUN: not %quantune-opt %t.mlir --split-input-file 2>&1 | filecheck %s --check-prefix=BROKEN

// CHECK: @first
// CHECK: // -----
// CHECK: @second
// BROKEN: .mlir:14:
func.func @first() {
  return
}
// -----
func.func @second() {
  return
}
