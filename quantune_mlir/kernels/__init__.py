"""Kernels built as MLIR and called by flow.dispatch."""
