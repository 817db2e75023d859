// A dilation as wide as the image leaves one tap, of columns that are wider two; what is padded less then.
// RUN: %quantune-opt %s --quantune-crop-kernels | filecheck %s

// CHECK-LABEL: @main
// CHECK: tosa.const values(dense<{{.*}}5.0{{.*}}> : tensor<1x1x1x1xf32>)
// CHECK: tosa.conv2d {{.*}}pad([0, 0, 0, 0]) {{.*}}dilation([1, 1])
// CHECK: tosa.depthwise_conv2d {{.*}}pad([0, 0, 0, 4]) {{.*}}dilation([1, 4]){{.*}}tensor<1x2x1x1xf32>
func.func @main(%x: tensor<1x4x4x1xf32>, %y: tensor<1x4x6x1xf32>) -> (tensor<1x4x4x1xf32>, tensor<1x4x6x1xf32>) {
  %b = "tosa.const"() {values = dense<0.0> : tensor<1xf32>} : () -> tensor<1xf32>
  %w = "tosa.const"() {values = dense<[[[[1.0], [2.0], [3.0]], [[4.0], [5.0], [6.0]], [[7.0], [8.0], [9.0]]]]> : tensor<1x3x3x1xf32>} : () -> tensor<1x3x3x1xf32>
  %0 = "tosa.conv2d"(%x, %w, %b, %b, %b) {pad = array<i64: 6, 6, 6, 6>, stride = array<i64: 1, 1>, dilation = array<i64: 6, 6>, acc_type = f32, quantune.layer = "a", quantune.op = "Conv"} : (tensor<1x4x4x1xf32>, tensor<1x3x3x1xf32>, tensor<1xf32>, tensor<1xf32>, tensor<1xf32>) -> tensor<1x4x4x1xf32>
  %d = "tosa.const"() {values = dense<[[[[1.0]], [[2.0]]], [[[3.0]], [[4.0]]]]> : tensor<2x2x1x1xf32>} : () -> tensor<2x2x1x1xf32>
  %1 = "tosa.depthwise_conv2d"(%y, %d, %b, %b, %b) {pad = array<i64: 4, 0, 0, 4>, stride = array<i64: 1, 1>, dilation = array<i64: 4, 4>, acc_type = f32, quantune.layer = "b", quantune.op = "Conv"} : (tensor<1x4x6x1xf32>, tensor<2x2x1x1xf32>, tensor<1xf32>, tensor<1xf32>, tensor<1xf32>) -> tensor<1x4x6x1xf32>
  return %0, %1 : tensor<1x4x4x1xf32>, tensor<1x4x6x1xf32>
}
