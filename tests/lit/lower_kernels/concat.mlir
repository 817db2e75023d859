// A concatenation of channels is gone: two poolings write into one tensor, one after the other, in place.
// RUN: %quantune-opt %s --quantune-fuse-kernels --quantune-lower-kernels=isa=avx2 | filecheck %s

// CHECK-LABEL: func.func @main
// CHECK-NOT: tosa.
// CHECK: %[[EMPTY:.*]] = flow.tensor.empty : tensor<1x1x1x8xi8>
// CHECK: %[[ONE:.*]] = flow.dispatch {{.*}} -> %[[EMPTY]]
// CHECK: %[[BOTH:.*]] = flow.dispatch {{.*}} -> %[[ONE]]
// CHECK-NOT: tosa.concat
// CHECK: return %[[BOTH]]
func.func @main(%x: tensor<1x2x2x4xi8>, %y: tensor<1x2x2x4xi8>) -> tensor<1x1x1x8xi8> {
  %0 = "tosa.max_pool2d"(%x) {kernel = array<i64: 2, 2>, stride = array<i64: 2, 2>, pad = array<i64: 0, 0, 0, 0>} : (tensor<1x2x2x4xi8>) -> tensor<1x1x1x4xi8>
  %1 = "tosa.max_pool2d"(%y) {kernel = array<i64: 2, 2>, stride = array<i64: 2, 2>, pad = array<i64: 0, 0, 0, 0>} : (tensor<1x2x2x4xi8>) -> tensor<1x1x1x4xi8>
  %2 = "tosa.concat"(%0, %1) {axis = 3 : i32} : (tensor<1x1x1x4xi8>, tensor<1x1x1x4xi8>) -> tensor<1x1x1x8xi8>
  return %2 : tensor<1x1x1x8xi8>
}
