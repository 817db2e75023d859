// The upper bound of a clamp is scaled along: one bound for each channel, in the layer of the clamp.
// RUN: %python %S/../quantize/make_profile.py %t.npz channels/%x=0:1 channels/r=0:1,0:16
// RUN: %quantune-opt %s --quantune-equalize-ranges='profile=%t.npz everywhere' --quantune-remove-dead-code | filecheck %s

// CHECK-LABEL: @main
// CHECK:       [[C:%.*]] = tosa.clamp {{.*}}max_val{{.*}}0x7F800000 : f32{{.*}}quantune.layer = "r"
// CHECK:       [[H:%.*]] = tosa.const {{.*}}dense<{{\[\[\[\[}}1.200000e+01, 3.000000e+00]]]]> : tensor<1x1x1x2xf32>
// CHECK:       [[M:%.*]] = tosa.minimum [[C]], [[H]] {{.*}}quantune.extremes = array<f32: 0.000000e+00, 8.000000e+00>, quantune.layer = "r"
// CHECK:       tosa.conv2d [[M]]
func.func @main(%x: tensor<1x1x1x1xf32> {quantune.name = "x"}) -> tensor<1x1x1x1xf32> {
  %z = "tosa.const"() {values = dense<0.0> : tensor<1xf32>} : () -> tensor<1xf32>
  %w = "tosa.const"() {values = dense<[[[[1.0]]], [[[16.0]]]]> : tensor<2x1x1x1xf32>} : () -> tensor<2x1x1x1xf32>
  %b = "tosa.const"() {values = dense<[3.0, 4.0]> : tensor<2xf32>} : () -> tensor<2xf32>
  %v = "tosa.const"() {values = dense<[[[[1.0, -1.0]]]]> : tensor<1x1x1x2xf32>} : () -> tensor<1x1x1x2xf32>
  %p = "tosa.conv2d"(%x, %w, %b, %z, %z) {acc_type = f32, dilation = array<i64: 1, 1>, pad = array<i64: 0, 0, 0, 0>, stride = array<i64: 1, 1>, quantune.layer = "p", quantune.op = "Conv"} : (tensor<1x1x1x1xf32>, tensor<2x1x1x1xf32>, tensor<2xf32>, tensor<1xf32>, tensor<1xf32>) -> tensor<1x1x1x2xf32>
  %r = "tosa.clamp"(%p) {min_val = 0.0 : f32, max_val = 6.0 : f32, quantune.layer = "r", quantune.op = "Relu"} : (tensor<1x1x1x2xf32>) -> tensor<1x1x1x2xf32>
  %q = "tosa.conv2d"(%r, %v, %z, %z, %z) {acc_type = f32, dilation = array<i64: 1, 1>, pad = array<i64: 0, 0, 0, 0>, stride = array<i64: 1, 1>, quantune.layer = "q", quantune.op = "Conv"} : (tensor<1x1x1x2xf32>, tensor<1x1x1x2xf32>, tensor<1xf32>, tensor<1xf32>, tensor<1xf32>) -> tensor<1x1x1x1xf32>
  return %q : tensor<1x1x1x1xf32>
}
