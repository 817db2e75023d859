"""quantune-lower-kernels.

In:  `quantune.fused` ops.
Out: dispatches of kernels made for an instruction set; what has no kernel is TOSA again. A concatenation of channels is
     gone: the kernels that compute its operands write into one tensor, and what no kernel computes is copied there.

How much a kernel packs and reads at a time follows from the memory of `target`; without, from what targets of the
instruction set have unless they say otherwise. Tiles are those of a file that `quantune tune` wrote, if it is given and
has some for a kernel, else the static model's. A program that compiles the kernels may receive their code as soon as it
is written; the module then has none.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Final

from quantune_mlir.hardware.isa_names import IsaName
from quantune_mlir.hardware.targets import Target
from quantune_mlir.kernels.emit.executable import Library
from quantune_mlir.kernels.emit.receiver import Receiver
from quantune_mlir.kernels.families import (
    argmax,
    counted_loop,
    dense,
    depthwise,
    elementwise,
    interleave,
    padding,
    pooling,
    product,
    resize,
    rows,
    transpose,
)
from quantune_mlir.kernels.fusion.concat_in_place import Join
from quantune_mlir.kernels.fusion.group import (
    ARGMAX,
    CONVOLUTION,
    DEPTHWISE,
    ELEMENTWISE,
    INTERLEAVE,
    PADDING,
    POOLING,
    PRODUCT,
    RESIZE,
    ROWS,
    SLICE,
    TRANSPOSE,
    Group,
)
from quantune_mlir.kernels.isa.base import Isa
from quantune_mlir.kernels.isa.by_name import kernel_isa
from quantune_mlir.kernels.tiling.tuned_tiles import TunedTiles
from quantune_mlir.mlir.bindings import ir
from quantune_mlir.mlir.dialects.quantune import FUSED
from quantune_mlir.mlir.function import entry_block, functions
from quantune_mlir.mlir.tosa.counted_loop import LOOP
from quantune_mlir.passes.kernels.repeated_groups import RepeatedGroups
from quantune_mlir.pipeline.base import Pass

Lower = Callable[..., ir.Value | None]
"""(group, isa, library): the value that a dispatch at the current point computes; None if there is no kernel.

Those of `_WRITES_PARTS` take the part of a joined tensor, too, that they are to write instead."""

_KERNELS: Final[dict[str, Lower]] = {
    ARGMAX: argmax.lower,
    CONVOLUTION: dense.lower,
    DEPTHWISE: depthwise.lower,
    ELEMENTWISE: elementwise.lower,
    INTERLEAVE: interleave.lower,
    PADDING: padding.lower,
    POOLING: pooling.lower,
    PRODUCT: product.lower,
    RESIZE: resize.lower,
    ROWS: rows.lower,
    SLICE: padding.lower_slice,
    TRANSPOSE: transpose.lower,
}
_WRITES_PARTS: Final = frozenset({CONVOLUTION, ELEMENTWISE, POOLING, RESIZE})


@dataclass(frozen=True)
class LowerKernels(Pass):
    """Lower quantune.fused to kernels."""

    name: ClassVar[str] = "quantune-lower-kernels"

    isa: IsaName = "generic"
    tiles: TunedTiles | None = None
    target: Target | None = None
    receiver: Receiver | None = None

    def apply(self, module: ir.Module) -> None:
        if self.tiles is not None:
            self.tiles.require(self.isa)
        isa = kernel_isa(self.isa, None if self.target is None else self.target.memory)
        library = Library(module, isa, self.tiles, self.receiver)
        repeated = RepeatedGroups()
        for function in functions(module):
            _lower_all(entry_block(function), isa, library, repeated)


def _lower_all(block: ir.Block, isa: Isa, library: Library, repeated: RepeatedGroups) -> None:
    ops = [view.operation for view in block.operations]
    joins = {i: join for i, op in enumerate(ops) if (join := Join.of(op))}
    parts = {op: (join, place) for join in joins.values() for op, place in join.producers().items()}
    found = [parts.get(op, (None, 0)) for op in ops]
    for i, op in enumerate(ops):
        if i in joins:
            joins[i].finish(isa, library)
        elif op.name == FUSED:
            _lower(op, isa, library, repeated, *found[i])
        elif op.name == LOOP:
            _lower_loop(op, isa, library)


def _lower_loop(op: ir.Operation, isa: Isa, library: Library) -> None:
    with ir.InsertionPoint(op), op.location:
        result = counted_loop.lower(op, isa, library, _lower_group)
    if result is not None:
        op.results[0].replace_all_uses_with(result)
        op.erase()
        return
    for inner in [view.operation for view in op.regions[1].blocks[0]]:
        if inner.name == FUSED:
            Group(inner).inline()


def _lower_group(op: ir.Operation, isa: Isa, library: Library) -> ir.Value | None:
    group = Group(op)
    lower = _KERNELS.get(group.family)
    return None if lower is None else lower(group, isa, library)


def _lower(
    op: ir.Operation, isa: Isa, library: Library, repeated: RepeatedGroups, join: Join | None, position: int
) -> None:
    group = Group(op)
    lower = _KERNELS.get(group.family)
    part = join.missing[position] if join is not None and group.family in _WRITES_PARTS else None
    with ir.InsertionPoint(op), op.location:
        if lower is None:
            result = None
        elif part is not None:
            result = lower(group, isa, library, part)
        else:
            result = repeated.lowered(op, lambda: lower(group, isa, library))
    if result is None:
        group.inline()
        return
    if join is not None and part is not None:
        del join.missing[position]
    op.results[0].replace_all_uses_with(result)
    op.erase()
