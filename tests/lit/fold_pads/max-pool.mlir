// What a max pooling's input is padded with, so that it is never the largest, is the pooling's own padding: also where
// rows and columns that no window reads were cut off, of the padding or beyond it.
// RUN: %quantune-opt %s --quantune-fold-pads | filecheck %s

// CHECK-LABEL: @main
// CHECK-NOT:   tosa.pad
// CHECK:       [[P:%.*]] = tosa.max_pool2d %arg0 {{.*}}pad([1, 2, 0, 1]){{.*}}(tensor<1x4x5x3xf32>) -> tensor<1x5x4x3xf32>
// CHECK:       [[S:%.*]] = tosa.slice %arg0{{.*}}-> tensor<1x4x4x3xf32>
// CHECK-NEXT:  [[Q:%.*]] = tosa.max_pool2d [[S]] {{.*}}pad([1, 0, 0, 0]){{.*}}-> tensor<1x2x2x3xf32>
// CHECK-NEXT:  return [[P]], [[Q]]
func.func @main(%x: tensor<1x4x5x3xf32>) -> (tensor<1x5x4x3xf32>, tensor<1x2x2x3xf32>) {
  %s = "tosa.const_shape"() {values = dense<[0, 0, 1, 1, 0, 1, 0, 0]> : tensor<8xindex>} : () -> !tosa.shape<8>
  %v = "tosa.const"() {values = dense<-1.0e4> : tensor<1xf32>} : () -> tensor<1xf32>
  %0 = "tosa.pad"(%x, %s, %v) {quantune.layer = "pad", quantune.op = "Pad"} : (tensor<1x4x5x3xf32>, !tosa.shape<8>, tensor<1xf32>) -> tensor<1x6x6x3xf32>
  %1 = "tosa.max_pool2d"(%0) {kernel = array<i64: 3, 3>, stride = array<i64: 1, 1>, pad = array<i64: 0, 1, 0, 0>, quantune.layer = "pool", quantune.op = "MaxPool"} : (tensor<1x6x6x3xf32>) -> tensor<1x5x4x3xf32>
  %b = "tosa.const_shape"() {values = dense<0> : tensor<4xindex>} : () -> !tosa.shape<4>
  %n = "tosa.const_shape"() {values = dense<[1, 5, 4, 3]> : tensor<4xindex>} : () -> !tosa.shape<4>
  %2 = "tosa.slice"(%0, %b, %n) {quantune.layer = "other", quantune.op = "MaxPool"} : (tensor<1x6x6x3xf32>, !tosa.shape<4>, !tosa.shape<4>) -> tensor<1x5x4x3xf32>
  %3 = "tosa.max_pool2d"(%2) {kernel = array<i64: 3, 2>, stride = array<i64: 2, 2>, pad = array<i64: 0, 0, 0, 0>, quantune.layer = "other", quantune.op = "MaxPool"} : (tensor<1x5x4x3xf32>) -> tensor<1x2x2x3xf32>
  return %1, %3 : tensor<1x5x4x3xf32>, tensor<1x2x2x3xf32>
}
