// Observers become dispatches that pass their state on, those of small tensors together; @main returns the extremes of its
// run as well, @drain reads the histograms.
// RUN: %quantune-opt %s --quantune-lower-observers | filecheck %s

// CHECK:       quantune.measured = [], quantune.observed = [{tensor_name = "%x"}, {tensor_name = "a"}, {tensor_name = "b"}]}
// CHECK-DAG:   util.global private mutable @quantune_histograms = dense<0> : tensor<3x65536xi32>
// CHECK-DAG:   hal.executable.source private @quantune_observe
// CHECK:       func.func @main(%arg0: tensor<4xf32>, %arg1: tensor<90000xf32>) -> (tensor<4xf32>, tensor<3x2xi32>)
// CHECK-DAG:   [[H:%.*]] = util.global.load @quantune_histograms
// CHECK-DAG:   [[X:%.*]] = arith.constant dense<0> : tensor<3x2xi32>
// CHECK:       [[A:%.*]] = tosa.exp
// CHECK:       [[S:%.*]]:2 = flow.dispatch @quantune_observe_2::@quantune_observe_2({{.*}}, %arg0, [[A]], [[H]], [[X]])
// CHECK:       [[U:%.*]]:2 = flow.dispatch @quantune_observe_1::@quantune_observe_1({{.*}}, %arg1, [[S]]#0, [[S]]#1)
// CHECK:       util.global.store [[U]]#0, @quantune_histograms
// CHECK:       return [[A]], [[U]]#1
// CHECK:       func.func @drain(%arg0: i32) -> (tensor<196608x2xi32>, tensor<3xi32>)
func.func @main(%x: tensor<4xf32>, %b: tensor<90000xf32>) -> tensor<4xf32> {
  "quantune.observe"(%x) {tensor_name = "%x"} : (tensor<4xf32>) -> ()
  %a = "tosa.exp"(%x) {quantune.layer = "a", quantune.op = "Exp"} : (tensor<4xf32>) -> tensor<4xf32>
  "quantune.observe"(%a) {tensor_name = "a"} : (tensor<4xf32>) -> ()
  "quantune.observe"(%b) {tensor_name = "b"} : (tensor<90000xf32>) -> ()
  return %a : tensor<4xf32>
}
