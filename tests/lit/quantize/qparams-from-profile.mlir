// Ranges become parameters: of arguments, of ops, of a sum and its clamp together, and apart where the sum is read twice.
// RUN: %python %S/make_profile.py %t.npz %x=-1:1 %y=0:2.55 r=0:2.55 b=-1:1.55 s=0:5.1
// RUN: %quantune-opt %s --quantune-assign-qparams='profile=%t.npz' | filecheck %s
// RUN: %quantune-opt %s --quantune-assign-qparams='profile=%t.npz scheme=symmetric_with_power2_scale' | filecheck %s --check-prefix=POWER2

// CHECK-LABEL: @main
// CHECK-SAME:  quantune.qparams = {bits = 8 : i32, scale = 0.00784313772 : f32, zero_point = -1 : i32}
// CHECK-SAME:  quantune.qparams = {bits = 8 : i32, scale = 0.00999999977 : f32, zero_point = -128 : i32}
// CHECK:       tosa.add {{.*}}"a"{{.*}}{bits = 8 : i32, scale = 0.00999999977 : f32, zero_point = -128 : i32}
// CHECK:       tosa.clamp {{.*}}"r"{{.*}}{bits = 8 : i32, scale = 0.00999999977 : f32, zero_point = -128 : i32}
// CHECK:       tosa.sub {{.*}}"b"{{.*}}{bits = 8 : i32, scale = 0.00999999977 : f32, zero_point = -28 : i32}
// CHECK:       tosa.clamp {{.*}}"s"{{.*}}{bits = 8 : i32, scale = 2.000000e-02 : f32, zero_point = -128 : i32}
// POWER2:      tosa.sub {{.*}}{bits = 8 : i32, scale = 1.562500e-02 : f32, zero_point = 0 : i32}
func.func @main(%x: tensor<4xf32> {quantune.name = "x"}, %y: tensor<4xf32> {quantune.name = "y"}) -> (tensor<4xf32>, tensor<4xf32>) {
  %a = "tosa.add"(%x, %y) {quantune.layer = "a", quantune.op = "Op"} : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  %r = "tosa.clamp"(%a) {min_val = 0.0 : f32, max_val = 9.0 : f32, quantune.layer = "r", quantune.op = "Relu"} : (tensor<4xf32>) -> tensor<4xf32>
  %b = "tosa.sub"(%r, %y) {quantune.layer = "b", quantune.op = "Op"} : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  %s = "tosa.clamp"(%b) {min_val = 0.0 : f32, max_val = 9.0 : f32, quantune.layer = "s", quantune.op = "Relu"} : (tensor<4xf32>) -> tensor<4xf32>
  return %b, %s : tensor<4xf32>, tensor<4xf32>
}
