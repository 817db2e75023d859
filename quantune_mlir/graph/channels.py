"""Which tensors are observed channel by channel, and what they are called.

These are the tensors that a convolution or matrix product with constant weights reads (bias correction needs their
means, equalization their extremes), the roots that equalization may scale (their range is then that of the scaled
extremes), and outputs whose channels are judged by their own scale. An output is called after its layer, a
root keeps its name; another tensor is called `@layer` after the first layer that reads it.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import count

from quantune_mlir.graph.linear_ops import match_product
from quantune_mlir.graph.scalable import ScalableRange
from quantune_mlir.graph.tensors import Tensors
from quantune_mlir.graph.units import Kind, Unit
from quantune_mlir.mlir.bindings import ir


def channel_tensors(
    units: Sequence[Unit], tensors: Tensors, scalable: Sequence[ScalableRange], outputs: Collection[ir.Value] = ()
) -> dict[ir.Value, str]:
    """The observed tensors, each with its name, in graph order."""
    scaled = {v for found in scalable for v in found.values if v in tensors.names}
    names: dict[ir.Value, str] = {}
    taken: set[str] = set()
    for unit in units:
        product = match_product(unit.op) if unit.kind is Kind.DOT else None
        if product is not None and unit.layer is not None:
            source = product.op.operands[0]
            if source not in names:
                names[source] = tensors.names.get(source) or _unused(f"@{unit.layer}", taken)
                taken.add(names[source])
        if unit.output in scaled or unit.output in outputs:
            names.setdefault(unit.output, tensors.names.get(unit.output, unit.layer or ""))
    return names


def _unused(name: str, names: Collection[str]) -> str:
    """The name, with a number if there is such a one already."""
    numbered = (f"{name}:{number}" if number else name for number in count())
    return next(candidate for candidate in numbered if candidate not in names)
