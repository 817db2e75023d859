// Large integers become a resource, so that IREE's passes do not look at each of them; large floats stay.
// RUN: %python -c "print(open('%s').read().replace('ZEROS', '00' * 262141))" > %t
// RUN: %quantune-opt %t --quantune-pool-constants | filecheck %s

// CHECK-LABEL: func.func @main
// CHECK: tosa.const values(dense_resource<quantune_integers_0> : tensor<262145xi8>)
func.func @main(%x: tensor<2xf32>) -> tensor<2xf32> {
  %weights = "tosa.const"() <{values = dense<"0x01020304ZEROS"> : tensor<262145xi8>}> : () -> tensor<262145xi8>
  %0 = flow.dispatch @e::@e(%x, %weights) : (tensor<2xf32>, tensor<262145xi8>) -> tensor<2xf32>
  return %0 : tensor<2xf32>
}
