// Of a result that may approximate the input the difference is measured, through moves that keep every element.
// RUN: %quantune-opt %s --quantune-shadow-int8 | filecheck %s

// CHECK-LABEL: @main
// CHECK:       [[Y:%.*]] = tosa.reshape %{{.*}} -> tensor<2x2xf32>
// CHECK:       [[FLAT:%.*]] = tosa.reshape [[Y]], %{{.*}} -> tensor<4xf32>
// CHECK:       [[LEFT:%.*]] = tosa.sub [[FLAT]], %arg0
// CHECK:       [[OTHER:%.*]] = tosa.sub %{{.*}}, %arg0
// CHECK:       "quantune.measure"([[LEFT]], [[OTHER]]) {noise = "residual", scale = 1.000000e+00 : f32, tensor_name = "a", zero_point = 0 : i32} : (tensor<4xf32>, tensor<4xf32>)
// CHECK-NOT:   "residual"
// CHECK:       return [[Y]]
// CHECK-LABEL: @probe
// CHECK:       "quantune.measure"(%{{.*}}) {noise = "residual"
func.func @main(%x: tensor<4xf32> {quantune.name = "x", quantune.qparams = {scale = 1.000000e+00 : f32, zero_point = 0 : i32}}) -> (tensor<2x2xf32>) {
  %a = "tosa.add"(%x, %x) {quantune.layer = "a", quantune.op = "Op", quantune.qparams = {scale = 1.000000e+00 : f32, zero_point = 0 : i32}} : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  %s = "tosa.const_shape"() {values = dense<2> : tensor<2xindex>} : () -> !tosa.shape<2>
  %y = "tosa.reshape"(%a, %s) {quantune.layer = "r", quantune.op = "Reshape", quantune.qparams = {scale = 1.000000e+00 : f32, zero_point = 0 : i32}} : (tensor<4xf32>, !tosa.shape<2>) -> tensor<2x2xf32>
  return %y : tensor<2x2xf32>
}
