// A padding stays where a window may lie in it alone, or where the numbers may be the largest.
// RUN: %quantune-opt %s --quantune-fold-pads | filecheck %s

// CHECK-LABEL: @main
// CHECK-COUNT-2: tosa.pad
// CHECK-COUNT-1: pad([0, 0, 0, 0])
// CHECK:       return
func.func @main(%x: tensor<1x4x4x3xf32>) -> (tensor<1x3x3x3xf32>, tensor<1x4x4x3xf32>) {
  %wide = "tosa.const_shape"() {values = dense<[0, 0, 2, 0, 2, 0, 0, 0]> : tensor<8xindex>} : () -> !tosa.shape<8>
  %one = "tosa.const_shape"() {values = dense<[0, 0, 1, 0, 1, 0, 0, 0]> : tensor<8xindex>} : () -> !tosa.shape<8>
  %low = "tosa.const"() {values = dense<-3.4e38> : tensor<1xf32>} : () -> tensor<1xf32>
  %zero = "tosa.const"() {values = dense<0.0> : tensor<1xf32>} : () -> tensor<1xf32>
  %0 = "tosa.pad"(%x, %wide, %low) {quantune.layer = "a", quantune.op = "Pad"} : (tensor<1x4x4x3xf32>, !tosa.shape<8>, tensor<1xf32>) -> tensor<1x6x6x3xf32>
  %1 = "tosa.max_pool2d"(%0) {kernel = array<i64: 2, 2>, stride = array<i64: 2, 2>, pad = array<i64: 0, 0, 0, 0>, quantune.layer = "b", quantune.op = "MaxPool"} : (tensor<1x6x6x3xf32>) -> tensor<1x3x3x3xf32>
  %2 = "tosa.pad"(%x, %one, %zero) {quantune.layer = "c", quantune.op = "Pad"} : (tensor<1x4x4x3xf32>, !tosa.shape<8>, tensor<1xf32>) -> tensor<1x5x5x3xf32>
  %3 = "tosa.max_pool2d"(%2) {kernel = array<i64: 2, 2>, stride = array<i64: 1, 1>, pad = array<i64: 0, 0, 0, 0>, quantune.layer = "d", quantune.op = "MaxPool"} : (tensor<1x5x5x3xf32>) -> tensor<1x4x4x3xf32>
  return %1, %3 : tensor<1x3x3x3xf32>, tensor<1x4x4x3xf32>
}
