"""The MLIR bindings behind one module, and thin helpers over them."""
