// What a padded pooling reads is not looked for before the slice: its border is padding, whatever was cut off there.
// RUN: %quantune-opt %s --quantune-fuse-kernels | filecheck %s

// CHECK-LABEL: @main
// CHECK: tosa.slice
// CHECK: quantune.fused
// CHECK-NEXT: tosa.max_pool2d
// CHECK-NEXT: tosa.yield
func.func @main(%x: tensor<1x4x4x8xi8>) -> tensor<1x2x2x8xi8> {
  %start = "tosa.const_shape"() {values = dense<[0, 1, 1, 0]> : tensor<4xindex>} : () -> !tosa.shape<4>
  %size = "tosa.const_shape"() {values = dense<[1, 3, 3, 8]> : tensor<4xindex>} : () -> !tosa.shape<4>
  %0 = "tosa.slice"(%x, %start, %size) : (tensor<1x4x4x8xi8>, !tosa.shape<4>, !tosa.shape<4>) -> tensor<1x3x3x8xi8>
  %1 = "tosa.max_pool2d"(%0) {kernel = array<i64: 2, 2>, stride = array<i64: 2, 2>, pad = array<i64: 0, 1, 0, 1>} : (tensor<1x3x3x8xi8>) -> tensor<1x2x2x8xi8>
  return %1 : tensor<1x2x2x8xi8>
}
