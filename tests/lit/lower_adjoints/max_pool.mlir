// Each adjoint is a call of one kernel, which takes the geometry as numbers.
// RUN: %quantune-opt %s --quantune-lower-adjoints | filecheck %s

// CHECK: hal.executable.source private @quantune_max_pool_adjoint
// CHECK-LABEL: func.func @main
// CHECK: flow.dispatch @quantune_max_pool_adjoint::@max_pool_adjoint
// CHECK-NOT: quantune.max_pool_adjoint
func.func @main(%x: tensor<1x4x4x8xf32>, %y: tensor<1x2x2x8xf32>, %c: tensor<1x2x2x8xf32>) -> tensor<1x4x4x8xf32> {
  %r = "quantune.max_pool_adjoint"(%x, %y, %c) {kernel = array<i64: 2, 2>, stride = array<i64: 2, 2>, pad = array<i64: 0, 0, 0, 0>} : (tensor<1x4x4x8xf32>, tensor<1x2x2x8xf32>, tensor<1x2x2x8xf32>) -> tensor<1x4x4x8xf32>
  return %r : tensor<1x4x4x8xf32>
}
