// A concatenation that is only moved on its way to the result is no reason to share a range: it has no int8 form.
// RUN: %python %S/make_profile.py %t.npz %x=0:1 a=-1:0.5 b=0:128
// RUN: %quantune-opt %s --quantune-assign-qparams='profile=%t.npz scheme=symmetric' | filecheck %s

// CHECK-LABEL: @main
// CHECK:       tosa.sigmoid {{.*}}layer = "a"{{.*}}scale = 7.812500e-03
// CHECK:       tosa.sigmoid {{.*}}layer = "b"{{.*}}scale = 1.00787401
// CHECK:       tosa.concat
// CHECK-NOT:   qparams
func.func @main(%x: tensor<1x4xf32> {quantune.name = "x"}) -> (tensor<8x1xf32>) {
  %s = "tosa.const_shape"() {values = dense<[8, 1]> : tensor<2xindex>} : () -> !tosa.shape<2>
  %a = "tosa.sigmoid"(%x) {quantune.layer = "a", quantune.op = "Op"} : (tensor<1x4xf32>) -> tensor<1x4xf32>
  %b = "tosa.sigmoid"(%x) {quantune.layer = "b", quantune.op = "Op"} : (tensor<1x4xf32>) -> tensor<1x4xf32>
  %c = "tosa.concat"(%a, %b) {axis = 0 : i32, quantune.layer = "c", quantune.op = "Concat"} : (tensor<1x4xf32>, tensor<1x4xf32>) -> tensor<2x4xf32>
  %r = "tosa.reshape"(%c, %s) {quantune.layer = "r", quantune.op = "Op"} : (tensor<2x4xf32>, !tosa.shape<2>) -> tensor<8x1xf32>
  return %r : tensor<8x1xf32>
}
