// Inputs and layers that are left in floating point are named.
// RUN: not %quantune-opt %s --quantune-verify-integer 2>&1 | filecheck %s

// CHECK: what is left in floating point: input 'x' (an fp32 layer reads it), layer 'soft' (Softmax)
// CHECK: remedy: plan them in int8
func.func @main(%x: tensor<4xf32> {quantune.name = "x"}) -> tensor<4xf32> {
  %0 = tosa.exp %x {quantune.layer = "soft", quantune.op = "Softmax"} : (tensor<4xf32>) -> tensor<4xf32>
  return %0 : tensor<4xf32>
}
