"""The only module that imports the MLIR Python bindings (today those inside iree-base-compiler)."""

from __future__ import annotations

from typing import Final

from iree.compiler import ir, passmanager
from iree.compiler._mlir_libs._mlir import globals as bindings
from iree.compiler.dialects import arith, flow, func, hal, math, memref, scf, tensor, tosa, util, vector

__all__ = [
    "arith",
    "flow",
    "func",
    "hal",
    "ir",
    "make_context",
    "math",
    "memref",
    "passmanager",
    "scf",
    "tensor",
    "util",
    "vector",
]


bindings.append_dialect_search_prefix(f"{__package__}.dialects")  # else all of sys.path is searched

_DIALECTS: Final = (arith, flow, func, hal, math, memref, scf, tensor, tosa, util, vector)
_UNTYPED: Final = ("llvm",)
"""Dialects whose ops are built by name: to import their builders takes as long as all others together."""


def make_context() -> ir.Context:
    """A context in which `quantune.*` ops may stand as unregistered generic ops.

    Only dialects whose ops are built here are loaded: all of them take as long as importing a small network. What else
    a text or a pass needs, MLIR loads when it meets it.
    """
    context = ir.Context(load_on_create_dialects=[dialect.__name__.rpartition(".")[2] for dialect in _DIALECTS])
    context.allow_unregistered_dialects = True
    for name in _UNTYPED:
        context.get_dialect_descriptor(name)
    return context
