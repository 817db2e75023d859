// RUN: not iree-opt --irdl-file=%irdl %s 2>&1 | filecheck %s --check-prefix=IRDL
// RUN: not %quantune-opt %s --cse 2>&1 | filecheck %s

// IRDL: op expects exactly 2 operands, but got 1
// CHECK: 'quantune.measure' op expects 2 operand(s)
func.func @main(%x: tensor<1x4xf32>) {
  "quantune.measure"(%x) {tensor_name = "input", scale = 0.5 : f32, zero_point = 3 : i32} : (tensor<1x4xf32>) -> ()
  return
}
