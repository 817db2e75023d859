"""The MLIR bindings behind one module, and thin helpers over them."""

from __future__ import annotations

from quantune_mlir._versions import check_iree

check_iree()
