"""One op of each row of the table of traits that NumPy evaluates, on tensors of any shape."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import numpy as np

from quantune_mlir.mlir.bindings import func, ir, make_context
from quantune_mlir.mlir.constants import constant, constant_value, tensor_type
from quantune_mlir.mlir.tosa import build
from quantune_mlir.mlir.tosa.evaluate import evaluate
from quantune_mlir.mlir.tosa.traits import TRAITS

EVALUATED = [name for name, traits in TRAITS.items() if traits.evaluate is not None]
_OF_INTEGERS = ("bitwise", "logical_left", "logical_right", "arithmetic", "intdiv", "clz")
_OF_BOOLEANS = ("logical_and", "logical_not", "logical_or", "logical_xor", "reduce_all", "reduce_any")


def element_types(name: str) -> list[type[np.generic]]:
    """Element types of the data operands of an op."""
    short = name.removeprefix("tosa.")
    if short == "select":
        return [np.bool_, np.float32, np.float32]
    if short == "gather":
        return [np.float32]
    if short in _OF_BOOLEANS:
        kind: type[np.generic] = np.bool_
    elif short.startswith(_OF_INTEGERS):
        kind = np.int32
    else:
        kind = np.int8 if short == "table" else np.float32
    return [kind] * (TRAITS[name].data or 2)


@contextmanager
def built(name: str, *shapes: Sequence[int]) -> Iterator[ir.Operation]:
    """An op that verifies, in a function of its data operands, which have these shapes."""
    with make_context(), ir.Location.unknown():
        module = ir.Module.create()
        kinds = [tensor_type(shape, kind) for shape, kind in zip(shapes, element_types(name), strict=True)]
        with ir.InsertionPoint(module.body):
            function = func.FuncOp("main", (kinds, []))
        with ir.InsertionPoint(function.add_entry_block()):
            op = _build(name.removeprefix("tosa."), list(function.arguments)).owner.operation
            func.ReturnOp([])
        assert module.operation.verify()
        yield op


def computed(op: ir.Operation, *data: np.ndarray) -> np.ndarray:
    """What an op makes of these data operands and its own parameters."""
    parameters = [constant_value(operand) for operand in list(op.operands)[len(data) :]]
    result = evaluate(op, [*data, *(array for array in parameters if array is not None)])
    assert result is not None, op.name
    return result


def _build(name: str, x: list[ir.Value]) -> ir.Value:
    first = x[0]
    shape = list(first.type.shape)
    rank, zero = len(shape), np.zeros(1, np.float32)
    special: dict[str, Callable[[], ir.Value]] = {
        "mul": lambda: build.mul(*x),
        "negate": lambda: build.negate(first, constant(zero)),
        "clamp": lambda: build.clamp(first, -1, 2.5),
        "cast": lambda: build.cast(first, ir.IntegerType.get_signless(8)),
        "arithmetic_right_shift": lambda: build.shift_right(*x),
        "table": lambda: build.table(first, constant(np.arange(127, -129, -1).astype(np.int8))),
        "reshape": lambda: build.reshape(first, [int(np.prod(shape[:-1])), shape[-1]]),
        "transpose": lambda: build.transpose(first, [*range(1, rank), 0]),
        "slice": lambda: build.cut(first, [0] * (rank - 1) + [1], [*shape[:-1], shape[-1] - 1]),
        "pad": lambda: build.pad(first, [*range(2 * rank)], constant(zero)),
        "concat": lambda: build.concat(x, rank - 1),
        "tile": lambda: build.tile(first, range(1, rank + 1)),
        "reverse": lambda: build.reverse(first, rank - 1),
        "gather": lambda: build.gather(first, constant(np.full((shape[0], 4), shape[1] - 1, np.int32))),
        "argmax": lambda: build.argmax(first, rank - 1),
    }
    if name.startswith("reduce_"):
        return build.reduce(name.removeprefix("reduce_"), first, rank - 1)
    return special[name]() if name in special else build.elementwise(name, *x)
