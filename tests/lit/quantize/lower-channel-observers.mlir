// Channel observers become dispatches that write side by side into one more result of @main.
// RUN: %quantune-opt %s --quantune-lower-channel-observers | filecheck %s

// CHECK:       quantune.channels = [{channels = 3 : i64, rows = 2 : i64, tensor_name = "%x"}, {channels = 6 : i64, rows = 1 : i64, tensor_name = "@r"}]
// CHECK:       hal.executable.source private @quantune_observe_channels
// CHECK:       func.func @main(%arg0: tensor<2x3xf32>) -> (tensor<6xf32>, tensor<3x9xf32>)
// CHECK:       [[S:%.*]] = flow.dispatch @quantune_observe_channels::@observe_channels({{.*}}%arg0,
// CHECK:       [[R:%.*]] = tosa.reshape
// CHECK:       [[T:%.*]] = flow.dispatch @quantune_observe_channels::@observe_channels({{.*}}[[R]], [[S]])
// CHECK:       return [[R]], [[T]]
func.func @main(%x: tensor<2x3xf32>) -> tensor<6xf32> {
  "quantune.observe_channels"(%x) {tensor_name = "%x"} : (tensor<2x3xf32>) -> ()
  %s = "tosa.const_shape"() {values = dense<[6]> : tensor<1xindex>} : () -> !tosa.shape<1>
  %r = "tosa.reshape"(%x, %s) {quantune.layer = "r", quantune.op = "Reshape"} : (tensor<2x3xf32>, !tosa.shape<1>) -> tensor<6xf32>
  "quantune.observe_channels"(%r) {tensor_name = "@r"} : (tensor<6xf32>) -> ()
  return %r : tensor<6xf32>
}
