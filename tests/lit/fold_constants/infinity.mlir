// The larger of a number and minus infinity is the number, and so is the smaller of it and infinity; not where NaN is
// ignored, nor where another shape comes out.
// RUN: %quantune-opt %s --quantune-fold-constants | filecheck %s

// CHECK-LABEL: @main
// CHECK-SAME: (%[[X:.*]]: tensor<1x2xf32>
// CHECK:      %[[A:.*]] = tosa.maximum %[[X]], %{{.*}} nan_mode<IGNORE>
// CHECK-NEXT: %[[B:.*]] = tosa.maximum %{{.*}}, %{{.*}} : (tensor<1x1xf32>, tensor<1x2xf32>)
// CHECK-NEXT: return %[[X]], %[[A]], %[[B]]
func.func @main(%x: tensor<1x2xf32>, %y: tensor<1x1xf32>) -> (tensor<1x2xf32>, tensor<1x2xf32>, tensor<1x2xf32>) {
  %least = "tosa.const"() {values = dense<0xFF800000> : tensor<1x2xf32>} : () -> tensor<1x2xf32>
  %most = "tosa.const"() {values = dense<0x7F800000> : tensor<1x1xf32>} : () -> tensor<1x1xf32>
  %0 = "tosa.maximum"(%least, %x) : (tensor<1x2xf32>, tensor<1x2xf32>) -> tensor<1x2xf32>
  %1 = "tosa.minimum"(%0, %most) : (tensor<1x2xf32>, tensor<1x1xf32>) -> tensor<1x2xf32>
  %2 = "tosa.maximum"(%1, %least) {nan_mode = #tosa.nan_mode<IGNORE>} : (tensor<1x2xf32>, tensor<1x2xf32>) -> tensor<1x2xf32>
  %3 = "tosa.maximum"(%y, %least) : (tensor<1x1xf32>, tensor<1x2xf32>) -> tensor<1x2xf32>
  return %1, %2, %3 : tensor<1x2xf32>, tensor<1x2xf32>, tensor<1x2xf32>
}
