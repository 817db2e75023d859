"""From a sensitivity list to a precision plan. No MLIR."""
