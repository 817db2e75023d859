// A profile of another model is refused by the tensor that it lacks.
// RUN: %python %S/make_profile.py %t.npz %x=-1:1 %y=0:2.55
// RUN: not %quantune-opt %s --quantune-assign-qparams='profile=%t.npz' 2>&1 | filecheck %s

// CHECK: a: the profile has no such tensor
func.func @main(%x: tensor<4xf32> {quantune.name = "x"}, %y: tensor<4xf32> {quantune.name = "y"}) -> (tensor<4xf32>) {
  %a = "tosa.add"(%x, %y) {quantune.layer = "a", quantune.op = "Op"} : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  return %a : tensor<4xf32>
}
