// Layers become locations, which are printed where they are asked for. Constants go with the first layer that reads them.
// RUN: %quantune-opt %s --quantune-locate-layers --mlir-print-debuginfo | filecheck %s
// RUN: %quantune-opt %s --quantune-locate-layers | filecheck %s --check-prefix=SILENT

func.func @main(%x: tensor<4xf32>) -> tensor<4xf32> {
  %one = "tosa.const"() <{values = dense<1.0> : tensor<4xf32>}> : () -> tensor<4xf32>
  %0 = tosa.add %x, %one {quantune.layer = "block/first", quantune.op = "Add"} : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  %1 = tosa.exp %0 : (tensor<4xf32>) -> tensor<4xf32>
  return %1 : tensor<4xf32>
}

// CHECK: tosa.const {{.*}} loc([[CONST:#loc[0-9]*]])
// CHECK: tosa.add {{.*}} loc([[ADD:#loc[0-9]*]])
// CHECK: [[NAME:#loc[0-9]*]] = loc("block/first")
// CHECK-DAG: [[CONST]] = loc(fused[[[NAME]], #loc
// CHECK-DAG: [[ADD]] = loc(fused[[[NAME]], #loc
// SILENT-NOT: loc(
