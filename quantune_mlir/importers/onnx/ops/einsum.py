"""Einsum: sums, transposes, and one product of matrices for each further operand."""

from __future__ import annotations

import string
from collections.abc import Mapping, Sequence
from math import prod

import numpy as np

from quantune_mlir.importers.common.builder import Builder
from quantune_mlir.importers.common.errors import Unsupported
from quantune_mlir.importers.common.tensor import Tensor
from quantune_mlir.importers.onnx.handlers import operator
from quantune_mlir.importers.onnx.node import Node
from quantune_mlir.importers.onnx.ops.indexing import elements_at
from quantune_mlir.importers.onnx.ops.linear import matrix_product


@operator("Einsum")
def einsum(b: Builder, node: Node) -> Tensor:
    operands = [node.input(i) for i in range(len(node.inputs))]
    terms, result = _terms(str(node.attribute("equation")), operands)
    operands, terms = zip(*(_diagonal(b, x, term) for x, term in zip(operands, terms, strict=True)), strict=True)
    sizes = {axis: 1 for term in terms for axis in term}
    for term, operand in zip(terms, operands, strict=True):
        for axis, size in zip(term, operand.shape, strict=True):
            if size != sizes[axis] and 1 not in (size, sizes[axis]):
                raise Unsupported(f"{axis!r} is {sizes[axis]} and {size} long")
            sizes[axis] = max(sizes[axis], size)
    x, axes = operands[0], terms[0]
    for i, (y, further) in enumerate(zip(operands[1:], terms[1:], strict=True)):
        wanted = set(result).union(*terms[i + 2 :])
        x, axes = _product(b, x, axes, y, further, wanted, sizes)
    x, axes = _summed(b, x, axes, set(result))
    return b.transpose(x, [axes.index(axis) for axis in result])


def _terms(equation: str, operands: Sequence[Tensor]) -> tuple[list[str], str]:
    """The axes of each operand and of the result, a letter each; those of an ellipsis are capitals from the end."""
    left, arrow, right = equation.replace(" ", "").partition("->")
    terms = left.split(",")
    if len(terms) != len(operands):
        raise Unsupported(f"equation {equation!r} for {len(operands)} operands")
    spare = [letter for letter in reversed(string.ascii_letters) if letter not in equation]
    hidden = max(
        x.rank - len(term.replace("...", "")) if "..." in term else 0 for term, x in zip(terms, operands, strict=True)
    )
    ellipsis = "".join(spare[:hidden])
    written: list[str] = []
    for term, x in zip(terms, operands, strict=True):
        count = x.rank - len(term.replace("...", ""))
        written.append(term.replace("...", ellipsis[hidden - count :]))
        if len(written[-1]) != x.rank:
            raise Unsupported(f"equation {equation!r}: {term!r} for an operand of {x.rank} axes")
    if not arrow:
        letters = "".join(terms).replace(".", "")
        right = "..." * bool(hidden) + "".join(sorted(a for a in letters if letters.count(a) == 1))
    return written, right.replace("...", ellipsis)


def _diagonal(b: Builder, x: Tensor, axes: str) -> tuple[Tensor, str]:
    """Of axes with the same letter only what has the same index along them."""
    once = "".join(dict.fromkeys(axes))
    if once == axes:
        return x, axes
    sizes = {axis: {size for other, size in zip(axes, x.shape, strict=True) if other == axis} for axis in once}
    if uneven := [axis for axis in once if len(sizes[axis]) > 1]:
        raise Unsupported(f"{uneven[0]!r} is {' and '.join(map(str, sorted(sizes[uneven[0]])))} long")
    grid = dict(zip(once, np.indices([next(iter(sizes[axis])) for axis in once]), strict=True))
    return elements_at(b, x, np.arange(x.size).reshape(x.shape)[tuple(grid[axis] for axis in axes)]), once


def _summed(b: Builder, x: Tensor, axes: str, wanted: set[str]) -> tuple[Tensor, str]:
    """Without the axes that are not wanted."""
    for axis in axes:
        if axis not in wanted:
            x = b.reduce("sum", x, axes.index(axis))
    kept = [i for i, axis in enumerate(axes) if axis in wanted]
    return b.reshape(x, [x.shape[i] for i in kept]), "".join(axes[i] for i in kept)


def _product(
    b: Builder, x: Tensor, left: str, y: Tensor, right: str, wanted: set[str], sizes: Mapping[str, int]
) -> tuple[Tensor, str]:
    """Of two operands: what is in both is a batch if it is wanted, and summed over if not."""
    x, left = _summed(b, x, left, wanted | set(right))
    y, right = _summed(b, y, right, wanted | set(left))
    batch = "".join(a for a in left if a in right and a in wanted)
    inner = "".join(a for a in left if a in right and a not in wanted)
    rows = "".join(a for a in left if a not in right)
    columns = "".join(a for a in right if a not in left)
    if x.array is not None and y.array is None and not batch:
        return _product(b, y, right, x, left, wanted, sizes)

    def matrices(tensor: Tensor, axes: str, *parts: str) -> Tensor:
        tensor = b.broadcast_to(tensor, [sizes[a] for a in axes])
        ordered = b.transpose(tensor, [axes.index(a) for part in (batch, *parts) for a in part])
        return b.reshape(ordered, [*(sizes[a] for a in batch), *(prod(sizes[a] for a in part) for part in parts)])

    if not inner and not rows and not columns:
        return b.mul(matrices(x, left), matrices(y, right)), batch
    product = matrix_product(b, matrices(x, left, rows, inner), matrices(y, right, inner, columns))
    axes = batch + rows + columns
    return b.reshape(product, [sizes[a] for a in axes]), axes
