"""Post-training mixed-precision quantization for embedded CPUs, on MLIR and IREE."""
