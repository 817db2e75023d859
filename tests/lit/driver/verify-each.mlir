// A quantune op that breaks the dialect's rules is found before the first pass.
// RUN: not %quantune-opt %s --cse 2>&1 | filecheck %s
// RUN: %quantune-opt %s --cse --no-verify-each | filecheck %s --check-prefix=OFF

// CHECK: the module does not verify before the first pass: {{.*}}verify-each.mlir{{.*}}'quantune.observe' op lacks the attribute 'tensor_name'
// OFF: quantune.observe
func.func @main(%x: tensor<4xf32>) {
  "quantune.observe"(%x) : (tensor<4xf32>) -> ()
  return
}
