// Constants that only dispatches read become parts of one, each once; others, and those that are all alike, stay.
// RUN: %quantune-opt %s --quantune-pool-constants | filecheck %s

// CHECK-LABEL: func.func @main
// CHECK: %[[ALL:.*]] = arith.constant dense_resource<quantune_constants_0> : tensor<76xi8>
// CHECK: %[[SPLAT:.*]] = tosa.const values(dense<1.000000e+00> : tensor<4xf32>)
// CHECK: %[[READ:.*]] = tosa.const values(dense<[7.000000e+00, 8.000000e+00]> : tensor<2xf32>)
// CHECK: %[[FIRST:.*]] = arith.constant 0 : index
// CHECK: %[[BYTES:.*]] = arith.constant 8 : index
// CHECK: %[[A:.*]] = flow.tensor.slice %[[ALL]][%[[FIRST]] for %[[BYTES]]] : tensor<76xi8> -> tensor<8xi8>
// CHECK: %[[SECOND:.*]] = arith.constant 64 : index
// CHECK: %[[B:.*]] = flow.tensor.slice %[[ALL]][%[[SECOND]] for {{.*}}] : tensor<76xi8> -> tensor<12xi8>
// CHECK: flow.dispatch @e::@e(%{{.*}}, %[[A]], %[[B]], %[[SPLAT]])
// CHECK: flow.dispatch @e::@e(%{{.*}}, %[[A]], %[[B]], %[[SPLAT]])
// CHECK: tosa.add %{{.*}}, %[[READ]]
func.func @main(%x: tensor<2xf32>) -> (tensor<2xf32>, tensor<2xf32>, tensor<2xf32>) {
  %splat = "tosa.const"() <{values = dense<1.0> : tensor<4xf32>}> : () -> tensor<4xf32>
  %read = "tosa.const"() <{values = dense<[7.0, 8.0]> : tensor<2xf32>}> : () -> tensor<2xf32>
  %a = "tosa.const"() <{values = dense<[1.0, 2.0]> : tensor<2xf32>}> : () -> tensor<2xf32>
  %b = "tosa.const"() <{values = dense<[1, 2, 3]> : tensor<3xi32>}> : () -> tensor<3xi32>
  %again = "tosa.const"() <{values = dense<[1.0, 2.0]> : tensor<2xf32>}> : () -> tensor<2xf32>
  %0 = flow.dispatch @e::@e(%x, %a, %b, %splat) : (tensor<2xf32>, tensor<2xf32>, tensor<3xi32>, tensor<4xf32>) -> tensor<2xf32>
  %1 = flow.dispatch @e::@e(%x, %again, %b, %splat) : (tensor<2xf32>, tensor<2xf32>, tensor<3xi32>, tensor<4xf32>) -> tensor<2xf32>
  %2 = "tosa.add"(%x, %read) : (tensor<2xf32>, tensor<2xf32>) -> tensor<2xf32>
  return %0, %1, %2 : tensor<2xf32>, tensor<2xf32>, tensor<2xf32>
}
