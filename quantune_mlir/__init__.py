"""Post-training mixed-precision quantization for embedded CPUs, on MLIR and IREE."""

from __future__ import annotations

from quantune_mlir._versions import check_iree

check_iree()
