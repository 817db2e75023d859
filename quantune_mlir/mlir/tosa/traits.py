"""What is known of each TOSA op: one table, one row an op. Everybody else asks it.

A new element-wise op is a row here and, if it has one, its kernel (kernels/emit/vector_ops.py): that it has an
int8 form (a table of 256 entries), that constants of it fold, that transposes pass it, follows from the row.
"""

from __future__ import annotations

from dataclasses import replace
from math import inf
from typing import Final

import numpy as np

from quantune_mlir.mlir.bindings import ir
from quantune_mlir.mlir.tosa import numpy_rules as rule
from quantune_mlir.mlir.tosa.facts import Cost, Int8, Moves, Traits, Weights
from quantune_mlir.mlir.tosa.numpy_rules import Rule, in_double, plain

_UNKNOWN: Final = Traits()


def traits_of(op: ir.Operation) -> Traits:
    """What is known of an op; little, if it has no row."""
    return TRAITS.get(op.name, _UNKNOWN)


def data_operands(op: ir.Operation) -> list[ir.Value]:
    """The operands that are computed with, parameters apart."""
    return list(op.operands)[: traits_of(op).data]


def axis_of(op: ir.Operation) -> int:
    """The axis that a reduction, concatenation, argmax or reversal works along."""
    return ir.IntegerAttr(op.attributes["axis"]).value


def _elementwise(
    evaluate: Rule,
    data: int = 1,
    *,
    compares: bool = False,
    homogeneous: bool = False,
    cost: Cost = "moderate",
    int8: Int8 = "function",
    neutral: bool = False,
) -> Traits:
    return Traits(
        data, evaluate, int8, True, compares=compares, homogeneous=homogeneous, cost=cost, neutral=neutral, aligned=True
    )


def _extreme(evaluate: Rule, identity: float) -> Traits:
    return replace(_elementwise(evaluate, 2, int8="extreme", homogeneous=True, cost="cheap"), identity=identity)


def _movement(
    moves: Moves, evaluate: Rule | None, *, aligned: bool = False, neutral: bool = False, per_axis: int = 0
) -> Traits:
    return Traits(
        1, evaluate, "movement", moves=moves, homogeneous=True, aligned=aligned, neutral=neutral, per_axis=per_axis
    )


def _reduction(
    evaluate: Rule, int8: Int8 | None = None, *, homogeneous: bool = False, moves: Moves | None = None
) -> Traits:
    return Traits(1, evaluate, int8, homogeneous=homogeneous, moves=moves, reduces=True, aligned=True)


def _linear(*output_axes: int, reads: int, bias: bool = True, scatters: bool = False) -> Traits:
    return Traits(int8="dot", channels_last=True, weights=Weights(output_axes, reads, bias, scatters))


TRAITS: Final[dict[str, Traits]] = {
    f"tosa.{name}": traits
    for name, traits in {
        "abs": _elementwise(plain(np.abs, 1), homogeneous=True, cost="cheap"),
        "add": _elementwise(plain(np.add), 2, int8="binary", homogeneous=True, cost="cheap"),
        "argmax": Traits(evaluate=rule.argmax),
        "arithmetic_right_shift": _elementwise(rule.arithmetic_right_shift, 2),
        "avg_pool2d": Traits(int8="average", homogeneous=True, channels_last=True),
        "bitwise_and": _elementwise(plain(np.bitwise_and), 2),
        "bitwise_not": _elementwise(plain(np.invert, 1)),
        "bitwise_or": _elementwise(plain(np.bitwise_or), 2),
        "bitwise_xor": _elementwise(plain(np.bitwise_xor), 2),
        "cast": _elementwise(rule.cast, neutral=True),
        "ceil": _elementwise(plain(np.ceil, 1)),
        "clamp": _elementwise(rule.clamp, cost="cheap"),
        "clz": _elementwise(plain(rule.leading_zeros, 1)),
        "concat": Traits(None, rule.concat, "concat", homogeneous=True, neutral=True, aligned=True),
        "conv2d": _linear(0, reads=3),
        "cos": _elementwise(in_double(np.cos), cost="costly"),
        "custom": Traits(pure=False),
        "depthwise_conv2d": _linear(2, 3, reads=2),
        "equal": _elementwise(plain(np.equal), 2, compares=True),
        "erf": _elementwise(in_double(rule.error_function), cost="costly"),
        "exp": _elementwise(in_double(np.exp), cost="costly"),
        "floor": _elementwise(plain(np.floor, 1)),
        "gather": _movement("selects", rule.gather),
        "greater": _elementwise(plain(np.greater), 2, compares=True, cost="cheap"),
        "greater_equal": _elementwise(plain(np.greater_equal), 2, compares=True, cost="cheap"),
        "identity": Traits(
            1, plain(np.array, 1), "movement", True, moves="stays", neutral=True, aligned=True, homogeneous=True
        ),
        "intdiv": _elementwise(plain(rule.divide_to_zero), 2),
        "log": _elementwise(in_double(np.log), cost="costly"),
        "logical_and": _elementwise(plain(np.logical_and), 2),
        "logical_left_shift": _elementwise(plain(np.left_shift), 2),
        "logical_not": _elementwise(plain(np.logical_not, 1)),
        "logical_or": _elementwise(plain(np.logical_or), 2),
        "logical_right_shift": _elementwise(plain(rule.logical_right_shift), 2),
        "logical_xor": _elementwise(plain(np.logical_xor), 2),
        "matmul": _linear(2, reads=1, bias=False),
        "max_pool2d": Traits(int8="movement", moves="selects", homogeneous=True, channels_last=True),
        "maximum": _extreme(rule.extremum(np.maximum, np.fmax), identity=-inf),
        "minimum": _extreme(rule.extremum(np.minimum, np.fmin), identity=inf),
        "mul": _elementwise(rule.mul, 2, int8="binary", homogeneous=True, cost="cheap"),
        "negate": _elementwise(rule.negate, homogeneous=True, cost="cheap"),
        "pad": _movement("fills", rule.pad, aligned=True, neutral=True, per_axis=2),
        "pow": _elementwise(in_double(np.power, 2), 2, cost="costly"),
        "reciprocal": _elementwise(in_double(np.reciprocal)),
        "reduce_all": _reduction(rule.reduction(np.all)),
        "reduce_any": _reduction(rule.reduction(np.any)),
        "reduce_max": _reduction(rule.reduction(np.max), "movement", moves="selects", homogeneous=True),
        "reduce_min": _reduction(rule.reduction(np.min), "movement", moves="selects", homogeneous=True),
        "reduce_product": _reduction(rule.reduction_in_double(np.prod)),
        "reduce_sum": _reduction(rule.reduction_in_double(np.sum), "mean", homogeneous=True),
        "rescale": Traits(aligned=True),
        "reshape": _movement("stays", rule.reshape, neutral=True),
        "resize": Traits(int8="average", homogeneous=True, channels_last=True),
        "reverse": _movement("reorders", rule.reverse, aligned=True),
        "rsqrt": _elementwise(in_double(lambda x: 1 / np.sqrt(x))),
        "select": _elementwise(plain(np.where, 3), 3, cost="cheap"),
        "sigmoid": _elementwise(in_double(rule.logistic), cost="costly"),
        "sin": _elementwise(in_double(np.sin), cost="costly"),
        "slice": _movement("selects", rule.cut, aligned=True, neutral=True, per_axis=1),
        "sub": _elementwise(plain(np.subtract), 2, int8="binary", homogeneous=True, cost="cheap"),
        "table": _elementwise(rule.table),
        "tanh": _elementwise(in_double(np.tanh), cost="costly"),
        "tile": _movement("selects", rule.tile, aligned=True, neutral=True, per_axis=1),
        "transpose": _movement("reorders", rule.transpose),
        "transpose_conv2d": _linear(0, reads=3, scatters=True),
        "while_loop": Traits(None, int8="loop"),
        "variable": Traits(pure=False),
        "variable_write": Traits(pure=False),
        "yield": Traits(pure=False),
    }.items()
}
"""By op name. Ops without a row are only known to be pure."""
