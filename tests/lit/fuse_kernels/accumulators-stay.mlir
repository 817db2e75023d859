// Two convolutions in int8 whose sum is fp32: what turns the accumulators of one into numbers stays in its own kernel,
// since the other's could only read them if they were stored.
// RUN: %quantune-opt %s --quantune-fuse-kernels | filecheck %s

// CHECK-LABEL: @main
// CHECK: quantune.fused
// CHECK: tosa.conv2d
// CHECK: tosa.cast
// CHECK: tosa.mul
// CHECK: tosa.yield
// CHECK: kernel = "convolution"
// CHECK: quantune.fused
// CHECK: tosa.conv2d
// CHECK: tosa.cast
// CHECK: tosa.mul
// CHECK: tosa.add
// CHECK: tosa.yield
// CHECK: kernel = "convolution"
// CHECK-NOT: tosa.{{conv2d|cast|mul|add}}
func.func @main(%x: tensor<1x2x2x4xi8>) -> tensor<1x2x2x4xf32> {
  %w = "tosa.const"() {values = dense<1> : tensor<4x1x1x4xi8>} : () -> tensor<4x1x1x4xi8>
  %b = "tosa.const"() {values = dense<1> : tensor<4xi32>} : () -> tensor<4xi32>
  %z8 = "tosa.const"() {values = dense<0> : tensor<1xi8>} : () -> tensor<1xi8>
  %m = "tosa.const"() {values = dense<0.5> : tensor<1x1x1x4xf32>} : () -> tensor<1x1x1x4xf32>
  %0 = "tosa.conv2d"(%x, %w, %b, %z8, %z8) {pad = array<i64: 0, 0, 0, 0>, stride = array<i64: 1, 1>, dilation = array<i64: 1, 1>, acc_type = i32} : (tensor<1x2x2x4xi8>, tensor<4x1x1x4xi8>, tensor<4xi32>, tensor<1xi8>, tensor<1xi8>) -> tensor<1x2x2x4xi32>
  %1 = "tosa.cast"(%0) : (tensor<1x2x2x4xi32>) -> tensor<1x2x2x4xf32>
  %2 = "tosa.mul"(%1, %m, %z8) : (tensor<1x2x2x4xf32>, tensor<1x1x1x4xf32>, tensor<1xi8>) -> tensor<1x2x2x4xf32>
  %3 = "tosa.conv2d"(%x, %w, %b, %z8, %z8) {pad = array<i64: 0, 0, 0, 0>, stride = array<i64: 1, 1>, dilation = array<i64: 1, 1>, acc_type = i32} : (tensor<1x2x2x4xi8>, tensor<4x1x1x4xi8>, tensor<4xi32>, tensor<1xi8>, tensor<1xi8>) -> tensor<1x2x2x4xi32>
  %4 = "tosa.cast"(%3) : (tensor<1x2x2x4xi32>) -> tensor<1x2x2x4xf32>
  %5 = "tosa.mul"(%4, %m, %z8) : (tensor<1x2x2x4xf32>, tensor<1x1x1x4xf32>, tensor<1xi8>) -> tensor<1x2x2x4xf32>
  %6 = "tosa.add"(%2, %5) : (tensor<1x2x2x4xf32>, tensor<1x2x2x4xf32>) -> tensor<1x2x2x4xf32>
  return %6 : tensor<1x2x2x4xf32>
}
