// A concatenation, its inputs and the pad after it share one range, in which the padded number lies as well.
// RUN: %python %S/make_profile.py %t.npz %x=0:1 %y=0:1 a=-1:0.5 b=0:3 r=0:1
// RUN: %quantune-opt %s --quantune-assign-qparams='profile=%t.npz scheme=symmetric' | filecheck %s

// CHECK-LABEL: @main
// CHECK:       tosa.add {{.*}}layer = "a"{{.*}}scale = 5.000000e-01
// CHECK:       tosa.add {{.*}}layer = "b"{{.*}}scale = 5.000000e-01
// CHECK:       tosa.concat {{.*}}scale = 5.000000e-01
// CHECK:       tosa.pad {{.*}}scale = 5.000000e-01
func.func @main(%x: tensor<4xf32> {quantune.name = "x"}, %y: tensor<4xf32> {quantune.name = "y"}) -> (tensor<10xf32>) {
  %w = "tosa.const_shape"() {values = dense<1> : tensor<2xindex>} : () -> !tosa.shape<2>
  %n = "tosa.const"() {values = dense<63.5> : tensor<1xf32>} : () -> tensor<1xf32>
  %a = "tosa.add"(%x, %y) {quantune.layer = "a", quantune.op = "Op"} : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  %b = "tosa.add"(%x, %y) {quantune.layer = "b", quantune.op = "Op"} : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  %c = "tosa.concat"(%a, %b) {axis = 0 : i32, quantune.layer = "c", quantune.op = "Concat"} : (tensor<4xf32>, tensor<4xf32>) -> tensor<8xf32>
  %p = "tosa.pad"(%c, %w, %n) {quantune.layer = "p", quantune.op = "Pad"} : (tensor<8xf32>, !tosa.shape<2>, tensor<1xf32>) -> tensor<10xf32>
  %r = "tosa.sigmoid"(%p) {quantune.layer = "r", quantune.op = "Op"} : (tensor<10xf32>) -> tensor<10xf32>
  return %r : tensor<10xf32>
}
