"""Compile, run and measure through IREE; deliverables; other engines."""
