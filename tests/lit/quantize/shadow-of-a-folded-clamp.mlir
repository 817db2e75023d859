// A sum whose clamp folds is measured at its accumulator in fp32, only where layers are measured alone as well; the clamp
// at the int8 result of both. Their local error is measured once, at the clamp, and so is that of rounding, for the int8
// layer that reads it.
// RUN: %quantune-opt %s --quantune-shadow-int8 | filecheck %s

// CHECK-LABEL: @main
// CHECK:       [[A:%.*]] = tosa.add %arg0, %arg1 {{.*}}layer = "a"
// CHECK-NOT:   "quantune.measure"([[A]]
// CHECK:       [[R:%.*]] = tosa.clamp [[A]]
// CHECK:       "quantune.measure"([[R]], %{{.*}}) {noise = "accumulated", {{.*}}tensor_name = "r"{{.*}}} : (tensor<4xf32>, tensor<4xi8>)
// CHECK:       [[M:%.*]] = tosa.sub [[R]], %arg1 {{.*}}layer = "m"
// CHECK:       "quantune.measure"([[M]], %{{.*}}) {noise = "accumulated", {{.*}}tensor_name = "m"{{.*}}} : (tensor<4xf32>, tensor<4xf32>)
// CHECK-NOT:   quantune.measure
// CHECK:       return [[M]]

// The other function measures each layer alone as well.
// CHECK-LABEL: @probe
// CHECK:       [[A:%.*]] = tosa.add %arg0, %arg1 {{.*}}layer = "a"
// CHECK:       [[SA:%.*]] = tosa.mul {{.*}}-> tensor<4xf32>
// CHECK-NEXT:  "quantune.measure"([[A]], [[SA]]) {noise = "accumulated", {{.*}}tensor_name = "a"{{.*}}} : (tensor<4xf32>, tensor<4xf32>)
// CHECK-NOT:   "quantune.measure"([[A]]
// CHECK:       [[R:%.*]] = tosa.clamp [[A]]
// CHECK:       "quantune.measure"([[R]], %{{.*}}) {noise = "accumulated", {{.*}}tensor_name = "r"
// CHECK:       [[M:%.*]] = tosa.sub [[R]], %arg1 {{.*}}layer = "m"
// CHECK:       "quantune.measure"([[M]], %{{.*}}) {noise = "accumulated", {{.*}}tensor_name = "m"
// CHECK:       [[QR:%.*]] = tosa.cast %{{.*}} -> tensor<4xi8>
// CHECK-NEXT:  "quantune.measure"([[R]], [[QR]]) {noise = "rounding", {{.*}}tensor_name = "r"{{.*}}} : (tensor<4xf32>, tensor<4xi8>)
// What each of both layers adds to the output is projected by a sweep back, the clamp as part of the sum. Only then are
// they computed alone.
// CHECK-COUNT-3: tosa.select
// CHECK:       [[V:%.*]] = tosa.select
// CHECK:       "quantune.measure"([[M]], [[LM:%.*]]) {noise = "local", {{.*}}tensor_name = "m"{{.*}}} : (tensor<4xf32>, tensor<4xf32>)
// CHECK-NEXT:  "quantune.project"([[V]], [[M]], [[LM]]) {part = "made", {{.*}}tensor_name = "m"
// CHECK-NOT:   "quantune.measure"([[A]]
// CHECK:       "quantune.measure"([[R]], %{{.*}}) {noise = "local", {{.*}}tensor_name = "r"{{.*}}} : (tensor<4xf32>, tensor<4xi8>)
// CHECK-NEXT:  "quantune.project"([[V]], [[R]], %{{.*}}) {part = "made", {{.*}}tensor_name = "a"
// CHECK:       return [[M]]
func.func @main(%x: tensor<4xf32> {quantune.qparams = {scale = 1.000000e+00 : f32, zero_point = 0 : i32}}, %y: tensor<4xf32> {quantune.qparams = {scale = 1.000000e+00 : f32, zero_point = 0 : i32}}) -> (tensor<4xf32>) {
  %a = "tosa.add"(%x, %y) {quantune.layer = "a", quantune.op = "Op", quantune.qparams = {scale = 1.000000e+00 : f32, zero_point = 0 : i32}} : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  %r = "tosa.clamp"(%a) {min_val = 0.0 : f32, max_val = 6.0 : f32, quantune.qparams = {scale = 1.000000e+00 : f32, zero_point = 0 : i32}, quantune.layer = "r", quantune.op = "Relu"} : (tensor<4xf32>) -> tensor<4xf32>
  %m = "tosa.sub"(%r, %y) {quantune.qparams = {scale = 1.000000e+00 : f32, zero_point = 0 : i32}, quantune.layer = "m", quantune.op = "Op"} : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  return %m : tensor<4xf32>
}
