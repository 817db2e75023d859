// A mean is one group: the slice before it, widening, both sums, and what follows.
// RUN: %quantune-opt %s --quantune-fuse-kernels | filecheck %s

// CHECK-LABEL: @main
// CHECK: quantune.fused
// CHECK: tosa.slice
// CHECK-NEXT: tosa.cast
// CHECK-NEXT: tosa.reduce_sum
// CHECK-NEXT: tosa.reduce_sum
// CHECK-NEXT: tosa.cast
// CHECK-NEXT: tosa.yield
// CHECK: kernel = "pooling"
// CHECK-NOT: quantune.fused
func.func @main(%x: tensor<1x4x3x8xi8>) -> tensor<1x1x1x8xf32> {
  %start = "tosa.const_shape"() {values = dense<[0, 1, 0, 0]> : tensor<4xindex>} : () -> !tosa.shape<4>
  %size = "tosa.const_shape"() {values = dense<[1, 3, 3, 8]> : tensor<4xindex>} : () -> !tosa.shape<4>
  %0 = "tosa.slice"(%x, %start, %size) : (tensor<1x4x3x8xi8>, !tosa.shape<4>, !tosa.shape<4>) -> tensor<1x3x3x8xi8>
  %1 = "tosa.cast"(%0) : (tensor<1x3x3x8xi8>) -> tensor<1x3x3x8xi32>
  %2 = "tosa.reduce_sum"(%1) {axis = 1 : i32} : (tensor<1x3x3x8xi32>) -> tensor<1x1x3x8xi32>
  %3 = "tosa.reduce_sum"(%2) {axis = 2 : i32} : (tensor<1x1x3x8xi32>) -> tensor<1x1x1x8xi32>
  %4 = "tosa.cast"(%3) : (tensor<1x1x1x8xi32>) -> tensor<1x1x1x8xf32>
  return %4 : tensor<1x1x1x8xf32>
}
