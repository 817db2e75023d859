"""What a quantization needs later, made ready while this process imports modules, or waits for compilers."""

from __future__ import annotations

import contextlib
from threading import Thread

from quantune_mlir.backend.kernel_compiler import kernel_compiler
from quantune_mlir.errors import QuantuneError


def start_compiler() -> None:
    """Start the process that compiles kernels, before MLIR is imported here: it imports MLIR, too.

    What fails now fails again, and is told, where it is needed.
    """
    with contextlib.suppress(QuantuneError):
        kernel_compiler()


def make_ready() -> None:
    """Begin with the rest."""
    Thread(target=_work, daemon=True).start()


def _work() -> None:
    from quantune_mlir.backend.compiler import describe_target
    from quantune_mlir.backend.iree_tool import DELIVERING
    from quantune_mlir.hardware.targets import load_target
    from quantune_mlir.workflow.options import ANALYSIS_TARGET

    with contextlib.suppress(QuantuneError):
        describe_target(load_target(ANALYSIS_TARGET))
    DELIVERING.wait()
    from quantune_mlir.report.page import prepare

    prepare()
