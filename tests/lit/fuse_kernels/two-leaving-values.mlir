// A group ends where a second value would leave it: what follows a tensor that is read twice is a group of its own.
// RUN: %quantune-opt %s --quantune-fuse-kernels | filecheck %s

// CHECK-LABEL: @main
// CHECK: %[[POOLED:.*]] = "quantune.fused"
// CHECK: tosa.max_pool2d
// CHECK-NEXT: tosa.yield
// CHECK: kernel = "pooling"
// CHECK: %[[SMOOTH:.*]] = "quantune.fused"
// CHECK: tosa.tanh
// CHECK: kernel = "elementwise"
// CHECK: return %[[POOLED]], %[[SMOOTH]]
func.func @main(%x: tensor<1x2x2x4xf32>) -> (tensor<1x1x1x4xf32>, tensor<1x1x1x4xf32>) {
  %0 = "tosa.max_pool2d"(%x) {kernel = array<i64: 2, 2>, stride = array<i64: 2, 2>, pad = array<i64: 0, 0, 0, 0>} : (tensor<1x2x2x4xf32>) -> tensor<1x1x1x4xf32>
  %1 = "tosa.tanh"(%0) : (tensor<1x1x1x4xf32>) -> tensor<1x1x1x4xf32>
  return %0, %1 : tensor<1x1x1x4xf32>, tensor<1x1x1x4xf32>
}
