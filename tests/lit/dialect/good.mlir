// What the IRDL definition accepts, our own verifier accepts.
// RUN: iree-opt --irdl-file=%irdl %s | filecheck %s
// RUN: %quantune-opt %s | filecheck %s

// CHECK: quantune.observe
// CHECK: quantune.observe_channels
// CHECK: quantune.measure
// CHECK: quantune.project
// CHECK: quantune.max_pool_adjoint
// CHECK: quantune.fused
func.func @main(%x: tensor<1x4xf32>, %q: tensor<1x4xi8>, %image: tensor<1x2x2x4xf32>, %maxima: tensor<1x1x1x4xf32>) {
  "quantune.observe"(%x) {tensor_name = "input"} : (tensor<1x4xf32>) -> ()
  "quantune.observe_channels"(%x) {tensor_name = "input"} : (tensor<1x4xf32>) -> ()
  "quantune.measure"(%x, %q) {tensor_name = "input", noise = "local", scale = 0.5 : f32, zero_point = 3 : i32} : (tensor<1x4xf32>, tensor<1x4xi8>) -> ()
  "quantune.project"(%x, %x, %q) {tensor_name = "input", part = "made", scale = 0.5 : f32, zero_point = 3 : i32} : (tensor<1x4xf32>, tensor<1x4xf32>, tensor<1x4xi8>) -> ()
  "quantune.max_pool_adjoint"(%image, %maxima, %maxima) {kernel = array<i64: 2, 2>, stride = array<i64: 2, 2>, pad = array<i64: 0, 0, 0, 0>} : (tensor<1x2x2x4xf32>, tensor<1x1x1x4xf32>, tensor<1x1x1x4xf32>) -> tensor<1x2x2x4xf32>
  %y = "quantune.fused"() ({
    %a = "tosa.abs"(%x) : (tensor<1x4xf32>) -> tensor<1x4xf32>
    "tosa.yield"(%a) : (tensor<1x4xf32>) -> ()
  }) {kernel = "elementwise"} : () -> tensor<1x4xf32>
  return
}
