// LLVM may make one instruction of a product and the sum after it. Rounding adds a number, but to the rounded product:
// TOSA rounds twice, and a tie would go the other way.
// RUN: %quantune-opt %s --quantune-fuse-kernels --quantune-lower-kernels=isa=rvv | filecheck %s

// CHECK-LABEL: hal.executable.source
// CHECK: %[[SCALED:.*]] = arith.mulf
// CHECK: %[[PRODUCT:.*]] = llvm.call_intrinsic "llvm.arithmetic.fence"(%[[SCALED]])
// CHECK: arith.addf %[[PRODUCT]]
func.func @main(%x: tensor<1x1x1x8xi8>) -> tensor<1x1x1x8xi8> {
  %scale = "tosa.const"() {values = dense<0.3> : tensor<1x1x1x1xf32>} : () -> tensor<1x1x1x1xf32>
  %shift = "tosa.const"() {values = dense<0> : tensor<1xi8>} : () -> tensor<1xi8>
  %0 = "tosa.cast"(%x) : (tensor<1x1x1x8xi8>) -> tensor<1x1x1x8xf32>
  %1 = "tosa.mul"(%0, %scale, %shift) : (tensor<1x1x1x8xf32>, tensor<1x1x1x1xf32>, tensor<1xi8>) -> tensor<1x1x1x8xf32>
  %2 = "tosa.cast"(%1) : (tensor<1x1x1x8xf32>) -> tensor<1x1x1x8xi8>
  return %2 : tensor<1x1x1x8xi8>
}
