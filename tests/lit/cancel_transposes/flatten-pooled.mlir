// Flatten after a global pool: only unit dimensions move, so one reshape does it.
// RUN: %quantune-opt %s --quantune-cancel-transposes | filecheck %s

// CHECK-LABEL: @main
// CHECK: %[[FLAT:.*]] = tosa.reshape %arg0, {{.*}} : (tensor<1x1x1x3xf32>, !tosa.shape<2>) -> tensor<1x3xf32>
// CHECK-NEXT: return %[[FLAT]]
func.func @main(%x: tensor<1x1x1x3xf32>) -> tensor<1x3xf32> {
  %shape = "tosa.const_shape"() {values = dense<[1, 3]> : tensor<2xindex>} : () -> !tosa.shape<2>
  %0 = "tosa.transpose"(%x) {perms = array<i32: 0, 3, 1, 2>} : (tensor<1x1x1x3xf32>) -> tensor<1x3x1x1xf32>
  %1 = "tosa.reshape"(%0, %shape) : (tensor<1x3x1x1xf32>, !tosa.shape<2>) -> tensor<1x3xf32>
  return %1 : tensor<1x3xf32>
}
