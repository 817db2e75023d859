// A depthwise convolution and its requantize become one dispatch; rows are interleaved for vpdpbusd, two outputs a word.
// RUN: %quantune-opt %s --quantune-fuse-kernels --quantune-lower-kernels="isa=avx512vnni" | filecheck %s

// CHECK: hal.executable.source private @depthwise_0
// CHECK: memref.alloca
// CHECK: vector.shuffle
// CHECK: llvm.x86.avx512.vpdpbusd.512
// CHECK: llvm.x86.avx512.mask.cvtps2dq.512
// CHECK: llvm.x86.avx512.packsswb.512
// CHECK-LABEL: @main
// CHECK-NOT: tosa.depthwise_conv2d
// CHECK: flow.dispatch @depthwise_0::@depthwise_0
// CHECK-NOT: tosa.cast
func.func @main(%x: tensor<1x8x8x64xi8>) -> tensor<1x8x8x64xi8> {
  %w = "tosa.const"() {values = dense<1> : tensor<3x3x64x1xi8>} : () -> tensor<3x3x64x1xi8>
  %b = "tosa.const"() {values = dense<0> : tensor<64xi32>} : () -> tensor<64xi32>
  %z = "tosa.const"() {values = dense<3> : tensor<1xi8>} : () -> tensor<1xi8>
  %n = "tosa.const"() {values = dense<0> : tensor<1xi8>} : () -> tensor<1xi8>
  %s = "tosa.const"() {values = dense<0.125> : tensor<1x1x1x1xf32>} : () -> tensor<1x1x1x1xf32>
  %0 = "tosa.depthwise_conv2d"(%x, %w, %b, %z, %n) {acc_type = i32, pad = array<i64: 1, 1, 1, 1>, stride = array<i64: 1, 1>, dilation = array<i64: 1, 1>} : (tensor<1x8x8x64xi8>, tensor<3x3x64x1xi8>, tensor<64xi32>, tensor<1xi8>, tensor<1xi8>) -> tensor<1x8x8x64xi32>
  %1 = "tosa.cast"(%0) : (tensor<1x8x8x64xi32>) -> tensor<1x8x8x64xf32>
  %2 = "tosa.mul"(%1, %s, %n) : (tensor<1x8x8x64xf32>, tensor<1x1x1x1xf32>, tensor<1xi8>) -> tensor<1x8x8x64xf32>
  %3 = "tosa.cast"(%2) : (tensor<1x8x8x64xf32>) -> tensor<1x8x8x64xi8>
  return %3 : tensor<1x8x8x64xi8>
}
