// Where a few runs reach much further than the others, the range goes beyond what was seen; so does that of a tensor that
// equalization has scaled, and that of codes of more bits. None does where runs are alike, or another range is asked for.
// RUN: %python %S/make_profile.py %t.npz %x=0:1,0:1.1,0:1.2,0:1.3,0:1.4,0:1.5,0:1.6,0:1.7,0:1.8,0:1.9,0:2,0:2.1,0:3,0:4.5,0:6 a=0:5.00,0:5.07,0:5.13,0:5.20,0:5.27,0:5.33,0:5.40,0:5.47,0:5.53,0:5.60,0:5.67,0:5.73,0:5.80,0:5.87,0:6 b=0:1,0:1.1,0:1.2,0:1.3,0:1.4,0:1.5,0:1.6,0:1.7,0:1.8,0:1.9,0:2,0:2.1,0:3,0:4.5,0:6
// RUN: %quantune-opt %s --quantune-assign-qparams='profile=%t.npz' | filecheck %s
// RUN: %quantune-opt %s --quantune-assign-qparams='profile=%t.npz range=minmax' | filecheck %s --check-prefix=MINMAX

// CHECK:       %arg0{{.*}}{bits = 8 : i32, scale = 0.0461{{.*}}quantune.range = array<f32: 0.000000e+00, 1.176
// CHECK:       tosa.abs {{.*}}scale = 0.0235294122 : f32{{.*}}quantune.range = array<f32: 0.000000e+00, 6.000000e+00>
// CHECK:       tosa.add {{.*}}scale = 0.461{{.*}}quantune.range = array<f32: 0.000000e+00, 117.6
// MINMAX:      %arg0{{.*}}{bits = 8 : i32, scale = 0.0235294122 : f32
// MINMAX:      tosa.add {{.*}}scale = 0.235294119 : f32
func.func @main(%x: tensor<4xf32> {quantune.name = "x"}) -> (tensor<4xf32>, tensor<4xf32>) {
  %a = "tosa.abs"(%x) {quantune.layer = "a", quantune.op = "Abs"} : (tensor<4xf32>) -> tensor<4xf32>
  %b = "tosa.add"(%x, %a) {quantune.layer = "b", quantune.op = "Add", quantune.extremes = array<f32: 0.0, 60.0>} : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  return %a, %b : tensor<4xf32>, tensor<4xf32>
}
