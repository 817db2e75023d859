// Layers become locations, which are printed where they are asked for.
// RUN: %quantune-opt %s --quantune-locate-layers --mlir-print-debuginfo | filecheck %s
// RUN: %quantune-opt %s --quantune-locate-layers | filecheck %s --check-prefix=SILENT

func.func @main(%x: tensor<4xf32>) -> tensor<4xf32> {
  %0 = tosa.abs %x {quantune.layer = "block/first", quantune.op = "Abs"} : (tensor<4xf32>) -> tensor<4xf32>
  %1 = tosa.exp %0 : (tensor<4xf32>) -> tensor<4xf32>
  return %1 : tensor<4xf32>
}

// CHECK: tosa.abs {{.*}} loc([[LOC:#loc[0-9]*]])
// CHECK: [[LOC]] = loc("block/first")
// SILENT-NOT: loc(
