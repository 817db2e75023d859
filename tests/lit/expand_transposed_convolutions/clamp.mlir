// A transposed convolution of stride 2 is a convolution with four phases of outputs; its clamp comes before they move.
// RUN: %quantune-opt %s --quantune-expand-transposed-convolutions | filecheck %s

// CHECK-LABEL: @main
// CHECK-NOT:   tosa.transpose_conv2d
// CHECK:       tosa.conv2d {{.*}}pad([1, 1, 1, 1]){{.*}}quantune.layer = "up"{{.*}}-> tensor<1x5x5x8xf32>
// CHECK-NEXT:  tosa.clamp {{.*}}quantune.layer = "relu"
// CHECK:       tosa.transpose {{.*}}quantune.layer = "relu"{{.*}}-> tensor<1x5x2x5x2x2xf32>
// CHECK:       tosa.slice {{.*}}quantune.layer = "relu"{{.*}}-> tensor<1x8x8x2xf32>
func.func @main(%x: tensor<1x4x4x3xf32>) -> tensor<1x8x8x2xf32> {
  %z = "tosa.const"() {values = dense<0.0> : tensor<1xf32>} : () -> tensor<1xf32>
  %w = "tosa.const"() {values = dense<0.5> : tensor<2x4x4x3xf32>} : () -> tensor<2x4x4x3xf32>
  %b = "tosa.const"() {values = dense<[1.0, 2.0]> : tensor<2xf32>} : () -> tensor<2xf32>
  %0 = "tosa.transpose_conv2d"(%x, %w, %b, %z, %z) {acc_type = f32, out_pad = array<i64: -1, -1, -1, -1>, stride = array<i64: 2, 2>, quantune.layer = "up", quantune.op = "ConvTranspose"} : (tensor<1x4x4x3xf32>, tensor<2x4x4x3xf32>, tensor<2xf32>, tensor<1xf32>, tensor<1xf32>) -> tensor<1x8x8x2xf32>
  %1 = "tosa.clamp"(%0) {min_val = 0.0 : f32, max_val = 6.0 : f32, quantune.layer = "relu", quantune.op = "Relu"} : (tensor<1x8x8x2xf32>) -> tensor<1x8x8x2xf32>
  return %1 : tensor<1x8x8x2xf32>
}
