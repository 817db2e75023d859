// A skip connection from the NCHW input: nothing can be pushed past the sum, but the region as a whole changes layout.
// RUN: %quantune-opt %s --quantune-cancel-transposes | filecheck %s

// CHECK-LABEL: @main
// CHECK-NEXT: %[[IN:.*]] = tosa.transpose %arg0
// CHECK: %[[ABS:.*]] = tosa.abs %[[IN]]
// CHECK: %[[POOL:.*]] = tosa.max_pool2d %[[ABS]]
// CHECK: %[[SUM:.*]] = tosa.add %[[ABS]], %[[POOL]]
// CHECK-NEXT: tosa.max_pool2d %[[SUM]]
// CHECK-NEXT: return
func.func @main(%x: tensor<1x3x4x4xf32>) -> tensor<1x2x2x3xf32> {
  %0 = "tosa.abs"(%x) : (tensor<1x3x4x4xf32>) -> tensor<1x3x4x4xf32>
  %1 = "tosa.transpose"(%0) {perms = array<i32: 0, 2, 3, 1>} : (tensor<1x3x4x4xf32>) -> tensor<1x4x4x3xf32>
  %2 = "tosa.max_pool2d"(%1) {kernel = array<i64: 3, 3>, pad = array<i64: 1, 1, 1, 1>, stride = array<i64: 1, 1>} : (tensor<1x4x4x3xf32>) -> tensor<1x4x4x3xf32>
  %3 = "tosa.transpose"(%2) {perms = array<i32: 0, 3, 1, 2>} : (tensor<1x4x4x3xf32>) -> tensor<1x3x4x4xf32>
  %4 = "tosa.add"(%0, %3) : (tensor<1x3x4x4xf32>, tensor<1x3x4x4xf32>) -> tensor<1x3x4x4xf32>
  %5 = "tosa.transpose"(%4) {perms = array<i32: 0, 2, 3, 1>} : (tensor<1x3x4x4xf32>) -> tensor<1x4x4x3xf32>
  %6 = "tosa.max_pool2d"(%5) {kernel = array<i64: 2, 2>, pad = array<i64: 0, 0, 0, 0>, stride = array<i64: 2, 2>} : (tensor<1x4x4x3xf32>) -> tensor<1x2x2x3xf32>
  return %6 : tensor<1x2x2x3xf32>
}
