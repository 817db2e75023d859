// What quantizes the network's input for a softmax alone is computed with it: one dispatch, though codes stand between.
// RUN: %quantune-opt %s --quantune-fuse-kernels | filecheck %s

// CHECK-LABEL: @main
// CHECK: quantune.fused
// CHECK: tosa.cast
// CHECK: tosa.cast
// CHECK-COUNT-2: tosa.reduce_
// CHECK: kernel = "rows"
// CHECK-NOT: quantune.fused
func.func @main(%x: tensor<1x10xf32>) -> tensor<1x10xf32> {
  %z = "tosa.const"() {values = dense<0> : tensor<1xi8>} : () -> tensor<1xi8>
  %s = "tosa.const"() {values = dense<8.0> : tensor<1x1xf32>} : () -> tensor<1x1xf32>
  %q = "tosa.mul"(%x, %s, %z) : (tensor<1x10xf32>, tensor<1x1xf32>, tensor<1xi8>) -> tensor<1x10xf32>
  %c = "tosa.cast"(%q) : (tensor<1x10xf32>) -> tensor<1x10xi8>
  %d = "tosa.cast"(%c) : (tensor<1x10xi8>) -> tensor<1x10xf32>
  %0 = "tosa.reduce_max"(%d) {axis = 1 : i32} : (tensor<1x10xf32>) -> tensor<1x1xf32>
  %1 = "tosa.sub"(%d, %0) : (tensor<1x10xf32>, tensor<1x1xf32>) -> tensor<1x10xf32>
  %2 = "tosa.exp"(%1) : (tensor<1x10xf32>) -> tensor<1x10xf32>
  %3 = "tosa.reduce_sum"(%2) {axis = 1 : i32} : (tensor<1x10xf32>) -> tensor<1x1xf32>
  %4 = "tosa.reciprocal"(%3) : (tensor<1x1xf32>) -> tensor<1x1xf32>
  %5 = "tosa.mul"(%2, %4, %z) : (tensor<1x10xf32>, tensor<1x1xf32>, tensor<1xi8>) -> tensor<1x10xf32>
  return %5 : tensor<1x10xf32>
}
