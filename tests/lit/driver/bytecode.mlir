// RUN: %quantune-opt %s --emit-bytecode -o %t.mlirbc
// RUN: %quantune-opt %t.mlirbc | filecheck %s
// RUN: %quantune-opt - < %t.mlirbc | filecheck %s

// CHECK: func.func @main(%{{.*}}: tensor<4xf32>)
func.func @main(%x: tensor<4xf32>) -> tensor<4xf32> {
  return %x : tensor<4xf32>
}
