// Two operands transposed alike: one transpose is left, below the sum.
// RUN: %quantune-opt %s --quantune-cancel-transposes | filecheck %s

// CHECK-LABEL: @main
// CHECK-NEXT: %[[SUM:.*]] = tosa.add %arg0, %arg1 {{.*}} -> tensor<1x4x5x3xf32>
// CHECK-NEXT: %[[T:.*]] = tosa.transpose %[[SUM]]
// CHECK-NEXT: return %[[T]]
func.func @main(%x: tensor<1x4x5x3xf32>, %y: tensor<1x4x5x3xf32>) -> tensor<1x3x4x5xf32> {
  %0 = "tosa.transpose"(%x) {perms = array<i32: 0, 3, 1, 2>} : (tensor<1x4x5x3xf32>) -> tensor<1x3x4x5xf32>
  %1 = "tosa.transpose"(%y) {perms = array<i32: 0, 3, 1, 2>} : (tensor<1x4x5x3xf32>) -> tensor<1x3x4x5xf32>
  %2 = "tosa.add"(%0, %1) {quantune.layer = "sum"} : (tensor<1x3x4x5xf32>, tensor<1x3x4x5xf32>) -> tensor<1x3x4x5xf32>
  return %2 : tensor<1x3x4x5xf32>
}
