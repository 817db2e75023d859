"""quantune-lower-adjoints.

In:  a module with `quantune.max_pool_adjoint` ops, as the sweep back through a network leaves them.
Out: the same, these ops as dispatches of a kernel: TOSA has no op that adds into what a window reads.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from quantune_mlir.files import resources
from quantune_mlir.mlir.bindings import ir
from quantune_mlir.mlir.dialects.quantune import MAX_POOL_ADJOINT
from quantune_mlir.mlir.edit import shape_of
from quantune_mlir.mlir.function import functions, ops_named
from quantune_mlir.passes.calibrate.kernel_calls import dispatch, i32, import_text
from quantune_mlir.pipeline.base import Pass


@dataclass(frozen=True)
class LowerAdjoints(Pass):
    """Lower quantune.max_pool_adjoint to a kernel."""

    name: ClassVar[str] = "quantune-lower-adjoints"

    def apply(self, module: ir.Module) -> None:
        found = [op for function in functions(module) for op in ops_named(function, MAX_POOL_ADJOINT)]
        if found:
            import_text(module, resources.kernel_text("max_pool_adjoint.mlir"))
        for op in found:
            _lower(op)


def _lower(op: ir.Operation) -> None:
    source, maxima, cotangent = op.operands
    kernel, stride, pad = (list(ir.DenseI64ArrayAttr(op.attributes[name])) for name in ("kernel", "stride", "pad"))
    numbers = [*shape_of(source), *shape_of(maxima)[1:3], *kernel, *stride, pad[0], pad[2]]
    with ir.InsertionPoint(op), op.location:
        arguments = [*map(i32, numbers), source, maxima, cotangent]
        (result,) = dispatch("quantune_max_pool_adjoint", "max_pool_adjoint", arguments, [], [source.type])
    op.results[0].replace_all_uses_with(result)
    op.erase()
