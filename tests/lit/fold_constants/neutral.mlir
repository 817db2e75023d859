// Ops that change nothing go: identity, a reshape to the same shape, a pad by nothing.
// RUN: %quantune-opt %s --quantune-fold-constants | filecheck %s

// CHECK-LABEL: @main
// CHECK-SAME: (%[[X:.*]]: tensor<1x2xf32>)
// CHECK-NEXT: return %[[X]]
func.func @main(%x: tensor<1x2xf32>) -> tensor<1x2xf32> {
  %shape = "tosa.const_shape"() {values = dense<[1, 2]> : tensor<2xindex>} : () -> !tosa.shape<2>
  %pads = "tosa.const_shape"() {values = dense<0> : tensor<4xindex>} : () -> !tosa.shape<4>
  %zero = "tosa.const"() {values = dense<0.0> : tensor<1xf32>} : () -> tensor<1xf32>
  %0 = "tosa.identity"(%x) : (tensor<1x2xf32>) -> tensor<1x2xf32>
  %1 = "tosa.reshape"(%0, %shape) : (tensor<1x2xf32>, !tosa.shape<2>) -> tensor<1x2xf32>
  %2 = "tosa.pad"(%1, %pads, %zero) : (tensor<1x2xf32>, !tosa.shape<4>, tensor<1xf32>) -> tensor<1x2xf32>
  return %2 : tensor<1x2xf32>
}
