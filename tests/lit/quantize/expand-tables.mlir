// A table of i8 becomes a gather of entry x + 128, with x in i32.
// RUN: %quantune-opt %s --quantune-expand-tables | filecheck %s

// CHECK:       func.func @main(%arg0: tensor<2x3xi8>, %arg1: tensor<256xi8>)
// CHECK:       [[OFFSET:%.*]] = tosa.const values(dense<128> : tensor<1x1xi32>)
// CHECK:       [[X:%.*]] = tosa.cast %arg0
// CHECK:       [[PLACES:%.*]] = tosa.add [[X]], [[OFFSET]]
// CHECK:       [[ENTRIES:%.*]] = tosa.reshape %arg1
// CHECK:       [[ROW:%.*]] = tosa.reshape [[PLACES]]
// CHECK:       [[FOUND:%.*]] = tosa.gather [[ENTRIES]], [[ROW]] : (tensor<1x256x1xi8>, tensor<1x6xi32>) -> tensor<1x6x1xi8>
// CHECK:       tosa.reshape [[FOUND]]
// CHECK-NOT:   tosa.table
func.func @main(%x: tensor<2x3xi8>, %table: tensor<256xi8>) -> tensor<2x3xi8> {
  %y = "tosa.table"(%x, %table) : (tensor<2x3xi8>, tensor<256xi8>) -> tensor<2x3xi8>
  return %y : tensor<2x3xi8>
}
