// Tiles of a file take the place of the model's: here three workgroups of two rows, and two parts of the channels.
// RUN: %quantune-opt %s --quantune-fuse-kernels --quantune-lower-kernels=isa=avx2 | filecheck %s --check-prefix=MODEL
// RUN: %quantune-opt %s --quantune-fuse-kernels --quantune-lower-kernels="isa=avx2 tiles=%S/Inputs/tiles.yaml" | filecheck %s
// RUN: %quantune-opt %s --pipeline kernels --set isa=avx2 --set tiles=%S/Inputs/tiles.yaml | filecheck %s
// RUN: not %quantune-opt %s --pipeline kernels --set isa=avx2 --set tiles=%S/Inputs/tiles-avx512.yaml 2>&1 | filecheck %s --check-prefix=OTHER
// RUN: not %quantune-opt %s --pipeline kernels --set isa=avx2 --set tiles=%S/Inputs/tiles-misfit.yaml 2>&1 | filecheck %s --check-prefix=MISFIT
// RUN: not %quantune-opt %s --pipeline kernels --set isa=avx2 --set tiles=%S/absent.yaml 2>&1 | filecheck %s --check-prefix=ABSENT

// MODEL: hal.executable.source private @convolution_0
// MODEL: %[[ONE:.*]] = arith.constant 1 : index
// MODEL: hal.return %[[ONE]],

// CHECK: hal.executable.source private @convolution_0
// CHECK: %[[ROWS:.*]] = arith.constant 3 : index
// CHECK: %[[SPLITS:.*]] = arith.constant 2 : index
// CHECK: hal.return %[[ROWS]], %[[SPLITS]],

// OTHER: tiles-avx512.yaml: these tiles were measured with avx512vnni, the target has avx2
// OTHER: remedy: run `quantune tune` for this target
// MISFIT: tiles-misfit.yaml: line 4: fp32 6x8x4 -> 6x8x16, 3x3: the tile has 3 vectors of 8 channels, the output only 2
// MISFIT: remedy:
// ABSENT: absent.yaml: cannot be read
func.func @main(%x: tensor<1x6x8x4xf32>) -> tensor<1x6x8x16xf32> {
  %w = "tosa.const"() <{values = dense<0.5> : tensor<16x3x3x4xf32>}> : () -> tensor<16x3x3x4xf32>
  %b = "tosa.const"() <{values = dense<1.0> : tensor<16xf32>}> : () -> tensor<16xf32>
  %z = "tosa.const"() <{values = dense<0.0> : tensor<1xf32>}> : () -> tensor<1xf32>
  %0 = "tosa.conv2d"(%x, %w, %b, %z, %z) {pad = array<i64: 1, 1, 1, 1>, stride = array<i64: 1, 1>, dilation = array<i64: 1, 1>, acc_type = f32} : (tensor<1x6x8x4xf32>, tensor<16x3x3x4xf32>, tensor<16xf32>, tensor<1xf32>, tensor<1xf32>) -> tensor<1x6x8x16xf32>
  return %0 : tensor<1x6x8x16xf32>
}
