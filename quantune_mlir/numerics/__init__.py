"""Pure NumPy: histograms, ranges, quantization parameters, requantization, error metrics. No MLIR."""
