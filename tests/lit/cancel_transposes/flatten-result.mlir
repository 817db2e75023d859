// Where the flattened tensor is a result, its order is the model's: the transpose has to stay.
// RUN: %quantune-opt %s --quantune-cancel-transposes | filecheck %s

// CHECK-LABEL: @main
// CHECK: tosa.transpose
// CHECK: tosa.reshape
func.func @main(%x: tensor<1x1x2x2xf32>) -> tensor<1x4xf32> {
  %flat = "tosa.const_shape"() {values = dense<[1, 4]> : tensor<2xindex>} : () -> !tosa.shape<2>
  %0 = "tosa.transpose"(%x) {perms = array<i32: 0, 3, 1, 2>} : (tensor<1x1x2x2xf32>) -> tensor<1x2x1x2xf32>
  %1 = "tosa.reshape"(%0, %flat) : (tensor<1x2x1x2xf32>, !tosa.shape<2>) -> tensor<1x4xf32>
  return %1 : tensor<1x4xf32>
}
