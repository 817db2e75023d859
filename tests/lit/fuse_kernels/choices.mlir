// What chooses joins what it chooses by; flags are in registers only, so two groups do not share them.
// RUN: %quantune-opt %s --quantune-fuse-kernels | filecheck %s

// CHECK-LABEL: @one
// CHECK: quantune.fused
// CHECK-NEXT: tosa.greater
// CHECK-NEXT: tosa.select
// CHECK-NEXT: tosa.yield
func.func @one(%a: tensor<1x8xf32>, %b: tensor<1x8xf32>) -> tensor<1x8xf32> {
  %0 = "tosa.greater"(%a, %b) : (tensor<1x8xf32>, tensor<1x8xf32>) -> tensor<1x8xi1>
  %1 = "tosa.select"(%0, %a, %b) : (tensor<1x8xi1>, tensor<1x8xf32>, tensor<1x8xf32>) -> tensor<1x8xf32>
  return %1 : tensor<1x8xf32>
}

// CHECK-LABEL: @two
// CHECK-NOT: quantune.fused
func.func @two(%a: tensor<1x8xf32>, %b: tensor<1x8xf32>) -> (tensor<1x8xf32>, tensor<1x8xf32>) {
  %0 = "tosa.greater"(%a, %b) : (tensor<1x8xf32>, tensor<1x8xf32>) -> tensor<1x8xi1>
  %1 = "tosa.select"(%0, %a, %b) : (tensor<1x8xi1>, tensor<1x8xf32>, tensor<1x8xf32>) -> tensor<1x8xf32>
  %2 = "tosa.select"(%0, %b, %a) : (tensor<1x8xi1>, tensor<1x8xf32>, tensor<1x8xf32>) -> tensor<1x8xf32>
  return %1, %2 : tensor<1x8xf32>, tensor<1x8xf32>
}
