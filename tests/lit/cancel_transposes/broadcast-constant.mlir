// A per-channel constant is transposed along.
// RUN: %quantune-opt %s --quantune-cancel-transposes | filecheck %s

// CHECK-LABEL: @main
// CHECK: %[[C:.*]] = tosa.const {{.*}} -> tensor<1x1x1x3xf32>
// CHECK: tosa.add %{{.*}}, %[[C]] {{.*}} -> tensor<1x4x5x3xf32>
// CHECK: tosa.transpose
func.func @main(%x: tensor<1x8x10x3xf32>) -> tensor<1x3x4x5xf32> {
  %c = "tosa.const"() {values = dense<[[[[1.0]], [[2.0]], [[3.0]]]]> : tensor<1x3x1x1xf32>} : () -> tensor<1x3x1x1xf32>
  %p = "tosa.max_pool2d"(%x) {kernel = array<i64: 2, 2>, pad = array<i64: 0, 0, 0, 0>, stride = array<i64: 2, 2>} : (tensor<1x8x10x3xf32>) -> tensor<1x4x5x3xf32>
  %0 = "tosa.transpose"(%p) {perms = array<i32: 0, 3, 1, 2>} : (tensor<1x4x5x3xf32>) -> tensor<1x3x4x5xf32>
  %1 = "tosa.add"(%0, %c) {quantune.layer = "sum"} : (tensor<1x3x4x5xf32>, tensor<1x3x1x1xf32>) -> tensor<1x3x4x5xf32>
  return %1 : tensor<1x3x4x5xf32>
}
