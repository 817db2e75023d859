"""Compile, run and measure through IREE; deliverables; other engines."""

from __future__ import annotations

from quantune_mlir._versions import check_iree

check_iree()
