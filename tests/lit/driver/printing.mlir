// RUN: %quantune-opt %s --elide-constants 4 | filecheck %s --check-prefix=ELIDED
// RUN: %quantune-opt %s --mlir-print-op-generic | filecheck %s --check-prefix=GENERIC
// RUN: %quantune-opt %s --mlir-print-debuginfo | filecheck %s --check-prefix=LOCATION

// ELIDED: dense_resource<__elided__>
// GENERIC: "tosa.const"()
// LOCATION: "a name"
func.func @main() -> tensor<5xf32> {
  %c = "tosa.const"() {values = dense<[1.0, 2.0, 3.0, 4.0, 5.0]> : tensor<5xf32>} : () -> tensor<5xf32> loc("a name")
  return %c : tensor<5xf32>
}
