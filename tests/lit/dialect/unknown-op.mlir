// RUN: not iree-opt --irdl-file=%irdl %s 2>&1 | filecheck %s --check-prefix=IRDL
// RUN: not %quantune-opt %s --cse 2>&1 | filecheck %s

// IRDL: unregistered operation 'quantune.watch'
// CHECK: 'quantune.watch' op is not defined in the quantune dialect
func.func @main(%x: tensor<1x4xf32>) {
  "quantune.watch"(%x) : (tensor<1x4xf32>) -> ()
  return
}
