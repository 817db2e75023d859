// Groups that differ only in numbers share one kernel: numbers are data.
// RUN: %quantune-opt %s --quantune-fuse-kernels --quantune-lower-kernels=isa=avx2 | filecheck %s

// CHECK: hal.executable.source private @[[KERNEL:elementwise_[0-9]+]]
// CHECK-NOT: hal.executable.source
// CHECK-LABEL: func.func @main
// CHECK: flow.dispatch @[[KERNEL]]
// CHECK: flow.dispatch @[[KERNEL]]
func.func @main(%x: tensor<1x20xf32>, %y: tensor<1x20xf32>) -> (tensor<1x20xf32>, tensor<1x20xf32>) {
  %0 = "tosa.clamp"(%x) {min_val = 0.0 : f32, max_val = 6.0 : f32} : (tensor<1x20xf32>) -> tensor<1x20xf32>
  %1 = "tosa.clamp"(%y) {min_val = -1.0 : f32, max_val = 1.0 : f32} : (tensor<1x20xf32>) -> tensor<1x20xf32>
  return %0, %1 : tensor<1x20xf32>, tensor<1x20xf32>
}
