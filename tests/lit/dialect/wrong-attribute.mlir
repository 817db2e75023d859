// RUN: not iree-opt --irdl-file=%irdl %s 2>&1 | filecheck %s --check-prefix=IRDL
// RUN: not %quantune-opt %s --cse 2>&1 | filecheck %s

// IRDL: expected base attribute 'builtin.string' but got 'builtin.integer'
// CHECK: 'quantune.observe' op expects an attribute 'tensor_name' of type string, got 1 : i32
func.func @main(%x: tensor<1x4xf32>) {
  "quantune.observe"(%x) {tensor_name = 1 : i32} : (tensor<1x4xf32>) -> ()
  return
}
