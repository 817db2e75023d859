// A sum reads what is quantized after a pooling: that stays the end of the pooling's kernel, which stores codes.
// RUN: %quantune-opt %s --quantune-fuse-kernels | filecheck %s

// CHECK-LABEL: @main
// CHECK: tosa.max_pool2d
// CHECK: tosa.cast
// CHECK: kernel = "pooling"
// CHECK: tosa.cast
// CHECK: tosa.conv2d
// CHECK: tosa.add
// CHECK: kernel = "convolution"
func.func @main(%x: tensor<1x2x2x4xf32>, %y: tensor<1x2x2x4xf32>) -> tensor<1x2x2x4xf32> {
  %w = "tosa.const"() {values = dense<1.0> : tensor<4x1x1x4xf32>} : () -> tensor<4x1x1x4xf32>
  %b = "tosa.const"() {values = dense<1.0> : tensor<4xf32>} : () -> tensor<4xf32>
  %z = "tosa.const"() {values = dense<0.0> : tensor<1xf32>} : () -> tensor<1xf32>
  %0 = "tosa.max_pool2d"(%y) {kernel = array<i64: 1, 1>, pad = array<i64: 0, 0, 0, 0>, stride = array<i64: 1, 1>} : (tensor<1x2x2x4xf32>) -> tensor<1x2x2x4xf32>
  %1 = "tosa.cast"(%0) : (tensor<1x2x2x4xf32>) -> tensor<1x2x2x4xi8>
  %2 = "tosa.cast"(%1) : (tensor<1x2x2x4xi8>) -> tensor<1x2x2x4xf32>
  %3 = "tosa.conv2d"(%x, %w, %b, %z, %z) {pad = array<i64: 0, 0, 0, 0>, stride = array<i64: 1, 1>, dilation = array<i64: 1, 1>, acc_type = f32} : (tensor<1x2x2x4xf32>, tensor<4x1x1x4xf32>, tensor<4xf32>, tensor<1xf32>, tensor<1xf32>) -> tensor<1x2x2x4xf32>
  %4 = "tosa.add"(%3, %2) : (tensor<1x2x2x4xf32>, tensor<1x2x2x4xf32>) -> tensor<1x2x2x4xf32>
  return %4 : tensor<1x2x2x4xf32>
}
