// What a joining op reads joins although it is read twice, if only by ops of the epilogue: the larger of %b and a tenth
// of it. What the root reads as well stays outside.
// RUN: %quantune-opt %s --quantune-fuse-kernels | filecheck %s

// CHECK-LABEL: @epilogue
// CHECK: quantune.fused
// CHECK: tosa.add
// CHECK: tosa.add
// CHECK: tosa.maximum
// CHECK: tosa.sub
// CHECK: tosa.yield
// CHECK-NOT: quantune.fused
func.func @epilogue(%x: tensor<1x4x4x8xf32>, %y: tensor<1x4x4x8xf32>) -> tensor<1x4x4x8xf32> {
  %one = "tosa.const"() {values = dense<1.0> : tensor<1x1x1x1xf32>} : () -> tensor<1x1x1x1xf32>
  %tenth = "tosa.const"() {values = dense<0.1> : tensor<1x1x1x1xf32>} : () -> tensor<1x1x1x1xf32>
  %shift = "tosa.const"() {values = dense<0> : tensor<1xi8>} : () -> tensor<1xi8>
  %a = "tosa.add"(%x, %one) : (tensor<1x4x4x8xf32>, tensor<1x1x1x1xf32>) -> tensor<1x4x4x8xf32>
  %b = "tosa.add"(%y, %one) : (tensor<1x4x4x8xf32>, tensor<1x1x1x1xf32>) -> tensor<1x4x4x8xf32>
  %c = "tosa.mul"(%b, %tenth, %shift) : (tensor<1x4x4x8xf32>, tensor<1x1x1x1xf32>, tensor<1xi8>) -> tensor<1x4x4x8xf32>
  %d = "tosa.maximum"(%b, %c) : (tensor<1x4x4x8xf32>, tensor<1x4x4x8xf32>) -> tensor<1x4x4x8xf32>
  %e = "tosa.sub"(%a, %d) : (tensor<1x4x4x8xf32>, tensor<1x4x4x8xf32>) -> tensor<1x4x4x8xf32>
  return %e : tensor<1x4x4x8xf32>
}

// CHECK-LABEL: @root
// CHECK: %[[X:[0-9]+]] = "quantune.fused"
// CHECK: tosa.exp
// CHECK: quantune.fused
// CHECK: tosa.conv2d %[[X]]
// CHECK: tosa.add {{.*}}%[[X]]
func.func @root(%y: tensor<1x4x4x8xf32>) -> tensor<1x4x4x8xf32> {
  %w = "tosa.const"() {values = dense<1.0> : tensor<8x1x1x8xf32>} : () -> tensor<8x1x1x8xf32>
  %bias = "tosa.const"() {values = dense<0.0> : tensor<8xf32>} : () -> tensor<8xf32>
  %zero = "tosa.const"() {values = dense<0.0> : tensor<1xf32>} : () -> tensor<1xf32>
  %x = "tosa.exp"(%y) : (tensor<1x4x4x8xf32>) -> tensor<1x4x4x8xf32>
  %0 = "tosa.conv2d"(%x, %w, %bias, %zero, %zero) {pad = array<i64: 0, 0, 0, 0>, stride = array<i64: 1, 1>, dilation = array<i64: 1, 1>, acc_type = f32} : (tensor<1x4x4x8xf32>, tensor<8x1x1x8xf32>, tensor<8xf32>, tensor<1xf32>, tensor<1xf32>) -> tensor<1x4x4x8xf32>
  %1 = "tosa.add"(%0, %x) : (tensor<1x4x4x8xf32>, tensor<1x4x4x8xf32>) -> tensor<1x4x4x8xf32>
  return %1 : tensor<1x4x4x8xf32>
}
