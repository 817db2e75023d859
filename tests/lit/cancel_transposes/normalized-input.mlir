// What the model does to its input comes after the one transpose at the boundary.
// RUN: %quantune-opt %s --quantune-cancel-transposes | filecheck %s

// CHECK-LABEL: @main
// CHECK: %[[IN:.*]] = tosa.transpose %arg0
// CHECK: tosa.sub %[[IN]], {{.*}} tensor<1x1x1x3xf32>
// CHECK: tosa.max_pool2d
// CHECK-NEXT: return
func.func @main(%x: tensor<1x3x4x4xf32>) -> tensor<1x2x2x3xf32> {
  %mean = "tosa.const"() {values = dense<[[[[1.0]], [[2.0]], [[3.0]]]]> : tensor<1x3x1x1xf32>} : () -> tensor<1x3x1x1xf32>
  %0 = "tosa.sub"(%x, %mean) : (tensor<1x3x4x4xf32>, tensor<1x3x1x1xf32>) -> tensor<1x3x4x4xf32>
  %1 = "tosa.transpose"(%0) {perms = array<i32: 0, 2, 3, 1>} : (tensor<1x3x4x4xf32>) -> tensor<1x4x4x3xf32>
  %2 = "tosa.max_pool2d"(%1) {kernel = array<i64: 2, 2>, pad = array<i64: 0, 0, 0, 0>, stride = array<i64: 2, 2>} : (tensor<1x4x4x3xf32>) -> tensor<1x2x2x3xf32>
  return %2 : tensor<1x2x2x3xf32>
}
