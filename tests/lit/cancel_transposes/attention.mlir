// [N, C, H, W] -> [N, C, H * W] -> [N, H * W, C], as before attention, is one reshape of [N, H, W, C].
// RUN: %quantune-opt %s --quantune-cancel-transposes | filecheck %s

// CHECK-LABEL: @main
// CHECK-NOT: tosa.transpose
// CHECK: tosa.reshape %arg0, {{.*}} -> tensor<1x20x3xf32>
// CHECK-NEXT: return
func.func @main(%x: tensor<1x4x5x3xf32>) -> tensor<1x20x3xf32> {
  %shape = "tosa.const_shape"() {values = dense<[1, 3, 20]> : tensor<3xindex>} : () -> !tosa.shape<3>
  %0 = "tosa.transpose"(%x) {perms = array<i32: 0, 3, 1, 2>} : (tensor<1x4x5x3xf32>) -> tensor<1x3x4x5xf32>
  %1 = "tosa.reshape"(%0, %shape) : (tensor<1x3x4x5xf32>, !tosa.shape<3>) -> tensor<1x3x20xf32>
  %2 = "tosa.transpose"(%1) {perms = array<i32: 0, 2, 1>} : (tensor<1x3x20xf32>) -> tensor<1x20x3xf32>
  return %2 : tensor<1x20x3xf32>
}
