"""Kernel groups of any module, each as a function of its own: what is measured by itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from quantune_mlir.mlir.bindings import func, ir
from quantune_mlir.mlir.constants import constant, is_constant, tensor_type
from quantune_mlir.mlir.edit import blocks
from quantune_mlir.mlir.tosa import build

NOTHING: Final = "nothing"
"""A function that clamps 16 floats: the cost of a call with one dispatch."""
_INVERSE_SCALE: Final = 11.0
_ZERO_POINT: Final = -3.0


def new_module(context: ir.Context) -> ir.Module:
    """A module that holds @nothing."""
    with context, ir.Location.unknown():
        module = ir.Module.create()
        kind = tensor_type((16,), np.float32)
        with ir.InsertionPoint(module.body):
            function = func.FuncOp(NOTHING, ([kind], [kind]))
        with ir.InsertionPoint(function.add_entry_block()):
            func.ReturnOp([build.clamp(function.arguments[0], 0.0, 6.0)])
    return module


def outline(module: ir.Module, name: str, op: ir.Operation) -> None:
    """Add a function that does what `op` does, an op of another module of the same context.

    What the op reads from outside becomes its arguments, in the order of `outside_values`; constants come along.
    """
    outside = outside_values(op)
    variable = [value for value in outside if not is_constant(value)]
    with module.context, ir.Location.unknown():
        with ir.InsertionPoint(module.body):
            function = func.FuncOp(name, ([value.type for value in variable], [op.results[0].type]))
        with ir.InsertionPoint(function.add_entry_block()):
            known = dict(zip(variable, function.arguments, strict=True))
            for value in outside:
                if is_constant(value):
                    known[value] = value.owner.operation.clone().results[0]
            copy = op.clone()
            for inner in (copy, *_inside(copy)):
                for index, operand in enumerate(inner.operands):
                    if operand in known:
                        inner.operands[index] = known[operand]
            func.ReturnOp([copy.results[0]])


def outline_conversion(module: ir.Module, name: str, shape: Sequence[int]) -> None:
    """Add a function that makes int8 of an fp32 tensor of this shape."""
    with module.context, ir.Location.unknown():
        real, small = tensor_type(shape, np.float32), tensor_type(shape, np.int8)
        ones = (1,) * len(shape)
        with ir.InsertionPoint(module.body):
            function = func.FuncOp(name, ([real], [small]))
        with ir.InsertionPoint(function.add_entry_block()):
            factor, offset = (constant(np.full(ones, value, np.float32)) for value in (_INVERSE_SCALE, _ZERO_POINT))
            value = build.elementwise("add", build.mul(function.arguments[0], factor), offset)
            func.ReturnOp([build.cast(value, small.element_type)])


def outside_values(op: ir.Operation) -> list[ir.Value]:
    """What an op, or anything inside it, reads from outside, each value once."""
    inside: set[ir.Value] = {result for inner in _inside(op) for result in inner.results}
    inside.update(argument for block in blocks(op) for argument in block.arguments)
    read = (operand for each in (op, *_inside(op)) for operand in each.operands)
    return list(dict.fromkeys(value for value in read if value not in inside))


def random_inputs(function: ir.Operation) -> list[NDArray[np.generic]]:
    """An array for each argument of a function; the same ones each time."""
    rng = np.random.default_rng(0)
    kinds = [ir.RankedTensorType(value.type) for value in function.regions[0].blocks[0].arguments]
    return [_random(rng, tuple(kind.shape), str(kind.element_type)) for kind in kinds]


def _random(rng: np.random.Generator, shape: tuple[int, ...], element: str) -> NDArray[np.generic]:
    if element == "f32":
        return rng.standard_normal(shape, np.float32)
    dtype = np.dtype({"i1": "bool"}.get(element, element.replace("i", "int")))
    return rng.integers(0, 2 if element == "i1" else 100, shape).astype(dtype)


def _inside(op: ir.Operation) -> list[ir.Operation]:
    return [view.operation for block in blocks(op) for view in block.operations]
