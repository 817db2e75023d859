// Channel observers of small tensors become one dispatch, which updates their places in the state; @channels reads it.
// RUN: %quantune-opt %s --quantune-lower-observers | filecheck %s

// CHECK:       quantune.channels = [{channels = 3 : i64, rows = 2 : i64, tensor_name = "%x"}, {channels = 6 : i64, rows = 1 : i64, tensor_name = "@r"}]
// CHECK-DAG:   util.global private mutable @quantune_channel_bins = dense<0> : tensor<9x16xi64>
// CHECK-DAG:   util.global private mutable @quantune_channel_minima = dense<0x7F800000> : tensor<9xf32>
// CHECK-DAG:   hal.executable.source private @quantune_observe_channels_2
// CHECK:       func.func @main(%arg0: tensor<2x3xf32>) -> tensor<6xf32>
// CHECK-DAG:   [[B:%.*]] = util.global.load @quantune_channel_bins
// CHECK:       [[R:%.*]] = tosa.reshape
// CHECK:       [[T:%.*]]:3 = flow.dispatch @quantune_observe_channels_2::@quantune_observe_channels_2({{.*}}, %arg0, [[R]], [[B]],
// CHECK:       util.global.store [[T]]#0, @quantune_channel_bins
// CHECK:       return [[R]]
// CHECK:       func.func @channels() -> (tensor<9x16xi64>, tensor<9xf32>, tensor<9xf32>)
// CHECK:       util.global.store %{{.*}}, @quantune_channel_bins
func.func @main(%x: tensor<2x3xf32>) -> tensor<6xf32> {
  "quantune.observe_channels"(%x) {tensor_name = "%x"} : (tensor<2x3xf32>) -> ()
  %s = "tosa.const_shape"() {values = dense<[6]> : tensor<1xindex>} : () -> !tosa.shape<1>
  %r = "tosa.reshape"(%x, %s) {quantune.layer = "r", quantune.op = "Reshape"} : (tensor<2x3xf32>, !tosa.shape<1>) -> tensor<6xf32>
  "quantune.observe_channels"(%r) {tensor_name = "@r"} : (tensor<6xf32>) -> ()
  return %r : tensor<6xf32>
}
