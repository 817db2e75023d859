// Observers become dispatches that pass their state on; @main returns the run's extremes as well, @drain reads the histograms.
// RUN: %quantune-opt %s --quantune-lower-observers | filecheck %s

// CHECK:       module attributes {quantune.measured = [], quantune.observed = [{tensor_name = "%x"}, {tensor_name = "a"}]}
// CHECK-DAG:   util.global private mutable @quantune_histograms = dense<0> : tensor<2x65536xi32>
// CHECK-DAG:   hal.executable.source private @quantune_observe
// CHECK:       func.func @main(%arg0: tensor<4xf32>) -> (tensor<4xf32>, tensor<2x2xi32>)
// CHECK:       [[H:%.*]] = util.global.load @quantune_histograms
// CHECK:       [[S:%.*]]:2 = flow.dispatch @quantune_observe::@observe({{.*}}%arg0, [[H]], %{{.*}})
// CHECK:       [[A:%.*]] = tosa.exp
// CHECK:       [[U:%.*]]:2 = flow.dispatch @quantune_observe::@observe({{.*}}[[A]], [[S]]#0, [[S]]#1)
// CHECK-DAG:   util.global.store [[U]]#0, @quantune_histograms
// CHECK:       return [[A]], [[U]]#1
// CHECK:       func.func @drain(%arg0: i32) -> tensor<?x2xi32>
func.func @main(%x: tensor<4xf32>) -> tensor<4xf32> {
  "quantune.observe"(%x) {tensor_name = "%x"} : (tensor<4xf32>) -> ()
  %a = "tosa.exp"(%x) {quantune.layer = "a", quantune.op = "Exp"} : (tensor<4xf32>) -> tensor<4xf32>
  "quantune.observe"(%a) {tensor_name = "a"} : (tensor<4xf32>) -> ()
  return %a : tensor<4xf32>
}
