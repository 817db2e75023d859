// A group without a kernel is TOSA again, in its place: here the convolution's weights are no constant any more.
// RUN: %quantune-opt %s --quantune-lower-kernels=isa=avx2 | filecheck %s

// CHECK-LABEL: func.func @main
// CHECK-NOT: quantune.fused
// CHECK: %[[SUM:.*]] = tosa.conv2d
// CHECK-NEXT: %[[R:.*]] = tosa.clamp %[[SUM]]
// CHECK-NEXT: return %[[R]]
func.func @main(%x: tensor<1x1x1x4xf32>, %w: tensor<4x1x1x4xf32>, %b: tensor<4xf32>, %z: tensor<1xf32>) -> tensor<1x1x1x4xf32> {
  %0 = "quantune.fused"() ({
    %1 = "tosa.conv2d"(%x, %w, %b, %z, %z) {pad = array<i64: 0, 0, 0, 0>, stride = array<i64: 1, 1>, dilation = array<i64: 1, 1>, acc_type = f32} : (tensor<1x1x1x4xf32>, tensor<4x1x1x4xf32>, tensor<4xf32>, tensor<1xf32>, tensor<1xf32>) -> tensor<1x1x1x4xf32>
    %2 = "tosa.clamp"(%1) {min_val = 0.0 : f32, max_val = 6.0 : f32} : (tensor<1x1x1x4xf32>) -> tensor<1x1x1x4xf32>
    "tosa.yield"(%2) : (tensor<1x1x1x4xf32>) -> ()
  }) {kernel = "convolution"} : () -> tensor<1x1x1x4xf32>
  return %0 : tensor<1x1x1x4xf32>
}
