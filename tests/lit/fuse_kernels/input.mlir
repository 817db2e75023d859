// The network's input: the transpose to NHWC takes in its quantization, though something stored stands between them.
// RUN: %quantune-opt %s --quantune-fuse-kernels | filecheck %s

// CHECK-LABEL: @main
// CHECK: quantune.fused
// CHECK: tosa.add
// CHECK-NEXT: tosa.cast
// CHECK-NEXT: tosa.transpose
// CHECK-NEXT: tosa.yield
// CHECK: kernel = "interleave"
// CHECK-NOT: quantune.fused
func.func @main(%x: tensor<1x3x2x2xf32>) -> tensor<1x2x2x3xi8> {
  %z = "tosa.const"() {values = dense<4.0> : tensor<1x1x1x1xf32>} : () -> tensor<1x1x1x1xf32>
  %0 = "tosa.add"(%x, %z) : (tensor<1x3x2x2xf32>, tensor<1x1x1x1xf32>) -> tensor<1x3x2x2xf32>
  %1 = "tosa.cast"(%0) : (tensor<1x3x2x2xf32>) -> tensor<1x3x2x2xi8>
  %2 = "tosa.transpose"(%1) {perms = array<i32: 0, 2, 3, 1>} : (tensor<1x3x2x2xi8>) -> tensor<1x2x2x3xi8>
  return %2 : tensor<1x2x2x3xi8>
}
