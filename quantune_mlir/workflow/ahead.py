"""What a quantization needs later, made ready while it waits for compilers, which are processes of their own."""

from __future__ import annotations

import contextlib
from threading import Thread

from quantune_mlir.backend.compiler import describe_target
from quantune_mlir.backend.iree_tool import COMPILING
from quantune_mlir.backend.kernel_compiler import kernel_compiler
from quantune_mlir.errors import QuantuneError
from quantune_mlir.hardware.targets import load_target
from quantune_mlir.workflow.options import ANALYSIS_TARGET


def make_ready() -> None:
    """Begin; what fails now fails again, and is told, where it is needed."""
    with contextlib.suppress(QuantuneError):
        kernel_compiler()
    Thread(target=_work, daemon=True).start()


def _work() -> None:
    with contextlib.suppress(QuantuneError):
        describe_target(load_target(ANALYSIS_TARGET))
    COMPILING.wait()
    from quantune_mlir.report.page import prepare

    prepare()
