"""The only module that imports the MLIR Python bindings (today those inside iree-base-compiler)."""

from __future__ import annotations

from iree.compiler import ir, passmanager
from iree.compiler.dialects import arith, flow, func, hal, llvm, math, memref, scf, tensor, tosa, util, vector

__all__ = [
    "arith",
    "flow",
    "func",
    "hal",
    "ir",
    "llvm",
    "make_context",
    "math",
    "memref",
    "passmanager",
    "scf",
    "tensor",
    "tosa",
    "util",
    "vector",
]


def make_context() -> ir.Context:
    """A context in which `quantune.*` ops may stand as unregistered generic ops."""
    context = ir.Context()
    context.allow_unregistered_dialects = True
    return context
