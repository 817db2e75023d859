// A cast to i8 becomes a clamp, an addition and a truncation; the way back to fp32 is a subtraction.
// RUN: %quantune-opt %s --quantune-expand-rounding | filecheck %s

// CHECK:       func.func @main(%arg0: tensor<4xf32>)
// CHECK:       [[C:%.*]] = arith.constant dense<0x4B400000> : tensor<4xf32>
// CHECK:       [[X:%.*]] = tosa.clamp %arg0
// CHECK:       [[S:%.*]] = arith.addf [[X]], [[C]]
// CHECK:       [[B:%.*]] = arith.bitcast [[S]] : tensor<4xf32> to tensor<4xi32>
// CHECK:       [[Q:%.*]] = arith.trunci [[B]] : tensor<4xi32> to tensor<4xi8>
// CHECK:       [[F:%.*]] = arith.subf [[S]], [[C]]
// CHECK:       return [[Q]], [[F]]
func.func @main(%x: tensor<4xf32>) -> (tensor<4xi8>, tensor<4xf32>) {
  %q = "tosa.cast"(%x) : (tensor<4xf32>) -> tensor<4xi8>
  %f = "tosa.cast"(%q) : (tensor<4xi8>) -> tensor<4xf32>
  return %q, %f : tensor<4xi8>, tensor<4xf32>
}
