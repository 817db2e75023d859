"""Thin helpers over the MLIR Python bindings."""
