// RUN: %python -c "import sys; sys.stdout.buffer.write(bytes(range(128, 256)))" > %t.mlir
// RUN: not %quantune-opt %t.mlir 2>&1 | filecheck %s
// RUN: %quantune-opt %s --emit-bytecode -o %t.mlirbc
// RUN: %python -c "import sys; sys.stdout.buffer.write(open(sys.argv[1], 'rb').read()[:60])" %t.mlirbc > %t.cut.mlirbc
// RUN: not %quantune-opt %t.cut.mlirbc 2>&1 | filecheck %s --check-prefix=CUT

// CHECK: .mlir: neither MLIR text nor MLIR bytecode
// CUT: error: {{.*}}.cut.mlirbc: {{.+}}
// CUT-NOT: Traceback
func.func @main() {
  return
}
