// Element types are beyond IRDL: only our own verifier sees them.
// RUN: iree-opt --irdl-file=%irdl %s
// RUN: not %quantune-opt %s --cse 2>&1 | filecheck %s

// CHECK: 'quantune.observe' op expects a tensor of f32 as operand 0, got tensor<1x4xi32>
func.func @main(%x: tensor<1x4xi32>) {
  "quantune.observe"(%x) {tensor_name = "input"} : (tensor<1x4xi32>) -> ()
  return
}
