// A softmax is one group; along another axis than the last it stays TOSA: its element-wise ops alone would be dispatches
// of their own, where IREE makes one of all. Where each step is read elsewhere, each is a group.
// RUN: %quantune-opt %s --quantune-fuse-kernels | filecheck %s

// CHECK-LABEL: @rows
// CHECK:       quantune.fused
// CHECK-COUNT-2: tosa.reduce_
// CHECK:       kernel = "rows"
// CHECK-NOT:   tosa.
// CHECK-LABEL: @columns
// CHECK-NOT:   quantune.fused
// CHECK:       return
// CHECK-LABEL: @observed
// CHECK:       tosa.reduce_max
// CHECK:       kernel = "rows"
// CHECK:       tosa.sub
// CHECK:       kernel = "rows"
// CHECK:       tosa.exp
// CHECK:       kernel = "elementwise"
// CHECK:       tosa.reduce_sum
// CHECK-NEXT:  tosa.yield
// CHECK:       kernel = "rows"
// CHECK-NOT:   tosa.
// CHECK:       return
func.func @rows(%x: tensor<1x10xf32>) -> tensor<1x10xf32> {
  %z = "tosa.const"() {values = dense<0> : tensor<1xi8>} : () -> tensor<1xi8>
  %0 = "tosa.reduce_max"(%x) {axis = 1 : i32} : (tensor<1x10xf32>) -> tensor<1x1xf32>
  %1 = "tosa.sub"(%x, %0) : (tensor<1x10xf32>, tensor<1x1xf32>) -> tensor<1x10xf32>
  %2 = "tosa.exp"(%1) : (tensor<1x10xf32>) -> tensor<1x10xf32>
  %3 = "tosa.reduce_sum"(%2) {axis = 1 : i32} : (tensor<1x10xf32>) -> tensor<1x1xf32>
  %4 = "tosa.reciprocal"(%3) : (tensor<1x1xf32>) -> tensor<1x1xf32>
  %5 = "tosa.mul"(%2, %4, %z) : (tensor<1x10xf32>, tensor<1x1xf32>, tensor<1xi8>) -> tensor<1x10xf32>
  return %5 : tensor<1x10xf32>
}
func.func @columns(%x: tensor<10x1xf32>) -> tensor<10x1xf32> {
  %z = "tosa.const"() {values = dense<0> : tensor<1xi8>} : () -> tensor<1xi8>
  %0 = "tosa.reduce_max"(%x) {axis = 0 : i32} : (tensor<10x1xf32>) -> tensor<1x1xf32>
  %1 = "tosa.sub"(%x, %0) : (tensor<10x1xf32>, tensor<1x1xf32>) -> tensor<10x1xf32>
  %2 = "tosa.exp"(%1) : (tensor<10x1xf32>) -> tensor<10x1xf32>
  %3 = "tosa.reduce_sum"(%2) {axis = 0 : i32} : (tensor<10x1xf32>) -> tensor<1x1xf32>
  %4 = "tosa.reciprocal"(%3) : (tensor<1x1xf32>) -> tensor<1x1xf32>
  %5 = "tosa.mul"(%2, %4, %z) : (tensor<10x1xf32>, tensor<1x1xf32>, tensor<1xi8>) -> tensor<10x1xf32>
  return %5 : tensor<10x1xf32>
}
func.func @observed(%x: tensor<1x10xf32>) -> (tensor<1x1xf32>, tensor<1x10xf32>, tensor<1x10xf32>, tensor<1x1xf32>) {
  %0 = "tosa.reduce_max"(%x) {axis = 1 : i32} : (tensor<1x10xf32>) -> tensor<1x1xf32>
  %1 = "tosa.sub"(%x, %0) : (tensor<1x10xf32>, tensor<1x1xf32>) -> tensor<1x10xf32>
  %2 = "tosa.exp"(%1) : (tensor<1x10xf32>) -> tensor<1x10xf32>
  %3 = "tosa.reduce_sum"(%2) {axis = 1 : i32} : (tensor<1x10xf32>) -> tensor<1x1xf32>
  return %0, %1, %2, %3 : tensor<1x1xf32>, tensor<1x10xf32>, tensor<1x10xf32>, tensor<1x1xf32>
}
