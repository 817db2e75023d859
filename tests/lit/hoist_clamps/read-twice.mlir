// The clamp stays where the product, or its reshape, has another reader: it could not join the epilogue.
// RUN: %quantune-opt %s --quantune-hoist-clamps | filecheck %s

// CHECK-LABEL: @main
// CHECK:       tosa.matmul
// CHECK-NEXT:  [[R:%.*]] = tosa.reshape
// CHECK-NEXT:  [[C:%.*]] = tosa.clamp [[R]]
// CHECK-NEXT:  return [[C]], [[R]]
func.func @main(%x: tensor<1x2x4xf32>, %y: tensor<1x4x3xf32>) -> (tensor<2x3xf32>, tensor<2x3xf32>) {
  %z = "tosa.const"() {values = dense<0.0> : tensor<1xf32>} : () -> tensor<1xf32>
  %s = "tosa.const_shape"() {values = dense<[2, 3]> : tensor<2xindex>} : () -> !tosa.shape<2>
  %p = "tosa.matmul"(%x, %y, %z, %z) {quantune.layer = "product", quantune.op = "MatMul"} : (tensor<1x2x4xf32>, tensor<1x4x3xf32>, tensor<1xf32>, tensor<1xf32>) -> tensor<1x2x3xf32>
  %r = "tosa.reshape"(%p, %s) {quantune.layer = "product", quantune.op = "MatMul"} : (tensor<1x2x3xf32>, !tosa.shape<2>) -> tensor<2x3xf32>
  %c = "tosa.clamp"(%r) {min_val = 0.0 : f32, max_val = 6.0 : f32, quantune.layer = "relu", quantune.op = "Relu"} : (tensor<2x3xf32>) -> tensor<2x3xf32>
  return %c, %r : tensor<2x3xf32>, tensor<2x3xf32>
}
