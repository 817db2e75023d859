"""The units of precision: what of a layer gets one int8 form together.

In: a function of fp32 TOSA whose ops carry `quantune.layer`.
Out: its non-constant ops as a list of `Unit`, in topological order.

Most units are one op. Four kinds are several ops of one layer: a unary function (every op elementwise, one tensor in,
constants splat; the whole layer or what ends it), whose int8 form is one table; a mean (reduce_sum ops, then a
multiplication by a splat), whose int8 form is one sum and one rescale; and, each channel by itself, a clamp with upper
bounds (tosa.clamp, tosa.minimum) and a leaky relu with slopes (tosa.mul, tosa.maximum; of slopes beyond 1 tosa.mul,
tosa.minimum besides).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum

from quantune_mlir.mlir.attributes import FP32_ONLY, LAYER, OP, string_attribute
from quantune_mlir.mlir.bindings import ir
from quantune_mlir.mlir.constants import CONSTANTS, constant_value, is_constant, is_float
from quantune_mlir.mlir.tosa.counted_loop import CountedLoop
from quantune_mlir.mlir.tosa.facts import Traits
from quantune_mlir.mlir.tosa.resizing import is_nearest
from quantune_mlir.mlir.tosa.traits import traits_of


class Kind(Enum):
    """How a unit is computed in int8."""

    DOT = "dot"  # convolution or matmul: i32 accumulator, requantized
    BINARY = "binary"  # add, sub, mul of two tensors
    UNARY = "unary"  # elementwise function of one tensor: a 256-entry table
    CLAMP = "clamp"  # relu and its kin: foldable into the producer's saturation
    MEAN = "mean"  # sums over whole axes: i32 accumulator, requantized
    AVERAGE = "average"  # windowed average, linear interpolation: keeps its input's parameters
    MOVEMENT = "movement"  # moves or selects elements: keeps its input's parameters
    LOOP = "loop"  # steps of a recurrence: their products in int8, all else of them in fp32, and so is the result
    EXTREME = "extreme"  # the larger or smaller of two: all inputs and the output share parameters
    SLOPES = "slopes"  # leaky relu whose slopes differ: i32 accumulator, requantized
    CONCAT = "concat"  # all inputs and the output share parameters
    FLOAT = "float"  # no int8 form: always fp32


SHARING = frozenset({Kind.AVERAGE, Kind.MOVEMENT, Kind.EXTREME, Kind.CONCAT})
"""Kinds whose output has the quantization parameters of their inputs."""

_NO_UNITS = CONSTANTS | {"func.return", "tosa.yield"}


@dataclass(frozen=True)
class Unit:
    """Ops that share one precision and get one int8 form.

    `inputs` are the distinct activation operands, in operand order; `output` is the one result used elsewhere.
    `layer` is None for layout transposes, which belong to no layer.
    """

    kind: Kind
    layer: str | None
    op_type: str | None
    ops: tuple[ir.Operation, ...]
    inputs: tuple[ir.Value, ...]
    output: ir.Value

    @property
    def op(self) -> ir.Operation:
        """The op that makes the output."""
        return self.ops[-1]

    @property
    def fp32_only(self) -> str | None:
        """Why it has no int8 form, although others of its kind do."""
        return string_attribute(self.op, FP32_ONLY)


def find_units(block: ir.Block) -> list[Unit]:
    """All units of a function body, ordered by the position of their last op."""
    compute = [op for view in block if (op := view.operation).name not in _NO_UNITS]
    by_layer: dict[str, list[ir.Operation]] = defaultdict(list)
    for op in compute:
        if layer := string_attribute(op, LAYER):
            by_layer[layer].append(op)
    merged: dict[ir.Operation, Unit] = {}
    covered: set[ir.Operation] = set()
    for ops in by_layer.values():
        if unit := _find_region(ops) or _find_function_behind(ops):
            merged[unit.op] = unit
            covered.update(unit.ops)
    units: list[Unit] = []
    for op in compute:
        if op in merged:
            units.append(merged[op])
        elif op not in covered:
            units.append(_make_unit(_kind_of(op), [op]))
    return units


def _find_region(ops: Sequence[ir.Operation]) -> Unit | None:
    """A layer, apart from moves after it (a mean that drops its axes), as one unary or mean unit; or None."""
    first = traits_of(ops[0])
    if not (_computes_elements(first) or first.int8 == "mean"):
        return None
    end = len(ops)
    while end > 1 and traits_of(ops[end - 1]).int8 == "movement":
        end -= 1
    return _as_region(ops[:end])


def _find_function_behind(ops: Sequence[ir.Operation]) -> Unit | None:
    """The function that ends a layer all else of which has an int8 form: the root of a sum of squares; or None."""
    for start in range(1, len(ops)):
        if _kind_of(ops[start - 1]) is Kind.FLOAT:
            return None
        if unit := as_function(ops[start:]):
            return unit
    return None


def _as_region(ops: Sequence[ir.Operation]) -> Unit | None:
    if _outside_uses(ops) != [ops[-1]]:
        return None
    inputs = _activation_inputs(ops)
    if len(inputs) != 1 or not is_float(inputs[0]) or not is_float(ops[-1].results[0]):
        return None
    if _is_clamp(ops):
        return _make_unit(Kind.CLAMP, ops)
    if _has_slopes(ops):
        return _make_unit(Kind.SLOPES, ops)
    functions = (_computes_elements(traits_of(op)) and _constants_are_splat(op) for op in ops)
    if all(functions) and all(_keeps_shape(op, inputs[0]) for op in ops):
        return _make_unit(Kind.UNARY, ops)
    sums = [op for op in ops if op.name == "tosa.reduce_sum"]
    rest = ops[len(sums) :]
    if sums and list(ops[: len(sums)]) == sums and all(_multiplies_by_splat(op) for op in rest):
        return _make_unit(Kind.MEAN, ops)
    return None


def as_function(ops: Sequence[ir.Operation]) -> Unit | None:
    """Ops, in program order, as a function of one tensor of fp32 that nothing else reads half-way; or None."""
    unit = _as_region(ops)
    return unit if unit is not None and unit.kind is Kind.UNARY else None


def _is_clamp(ops: Sequence[ir.Operation]) -> bool:
    if ops[0].name != "tosa.clamp" or len(ops) > 2:
        return False
    return len(ops) == 1 or (ops[1].name == "tosa.minimum" and _has_channel_constant(ops[1]))


def _has_slopes(ops: Sequence[ir.Operation]) -> bool:
    """Whether ops are the larger of a tensor and its product with constants, and perhaps the smaller of such."""
    pairs = list(zip(ops[::2], ops[1::2], strict=False))
    if 2 * len(pairs) != len(ops) or len(pairs) not in (1, 2) or all(map(_constants_are_splat, ops)):
        return False
    x = ops[0].operands[0]
    for (product, extreme), name in zip(pairs, ("maximum", "minimum"), strict=False):
        if product.name != "tosa.mul" or extreme.name.removeprefix("tosa.") != name:
            return False
        value, slopes, _ = product.operands
        if value != x or not is_constant(slopes) or list(extreme.operands) != [x, product.results[0]]:
            return False
        x = extreme.results[0]
    return all(_keeps_shape(op, ops[0].operands[0]) for op in ops)


def _has_channel_constant(op: ir.Operation) -> bool:
    """Whether the second operand is a constant with one number for each index of the last axis, or for all."""
    bounds = constant_value(op.operands[1])
    return bounds is not None and bounds.size == bounds.shape[-1] and _keeps_shape(op, op.operands[0])


def _multiplies_by_splat(op: ir.Operation) -> bool:
    factors = [operand for operand in list(op.operands)[:2] if is_constant(operand)]
    return op.name == "tosa.mul" and len(factors) == 1 and _constants_are_splat(op)


def _kind_of(op: ir.Operation) -> Kind:
    if not is_float(op.results[0]) or all(is_constant(operand) for operand in op.operands):
        return Kind.FLOAT
    traits = traits_of(op)
    match traits.int8:
        case "dot":
            constants = (1, 2) if traits.weights is not None and traits.weights.bias else ()
            return Kind.DOT if all(constant_value(op.operands[i]) is not None for i in constants) else Kind.FLOAT
        case "average" if op.name == "tosa.resize":
            return Kind.MOVEMENT if is_nearest(op) else Kind.AVERAGE
        case "average":
            return Kind.MEAN if _pools_everything(op) else Kind.AVERAGE
        case "movement":
            return Kind.FLOAT if is_constant(op.operands[0]) else Kind.MOVEMENT
        case "binary":
            return Kind.BINARY
        case "mean":
            return Kind.MEAN
        case "concat":
            return Kind.CONCAT
        case "loop":
            return Kind.LOOP if products_of(op) else Kind.FLOAT
        case "extreme":
            return Kind.EXTREME
        case "function" | None:
            return Kind.FLOAT


def products_of(loop: ir.Operation) -> list[Unit]:
    """The products with constant weights in the body of a loop whose rounds are counted."""
    counted = CountedLoop.of(loop)
    units = [] if counted is None else find_units(counted.body)
    return [unit for unit in units if unit.kind is Kind.DOT and is_constant(unit.op.operands[1])]


def _computes_elements(traits: Traits) -> bool:
    """Whether an op can be part of a function of one tensor."""
    return traits.elementwise and traits.int8 in ("function", "extreme", "binary")


def _make_unit(kind: Kind, ops: Sequence[ir.Operation]) -> Unit:
    last = ops[-1]
    if FP32_ONLY in last.attributes:
        kind = Kind.FLOAT
    inputs = tuple(_activation_inputs(ops))
    return Unit(kind, string_attribute(last, LAYER), string_attribute(last, OP), tuple(ops), inputs, last.results[0])


def _activation_inputs(ops: Iterable[ir.Operation]) -> list[ir.Value]:
    inside = {result for op in ops for result in op.results}
    found: dict[ir.Value, None] = {}
    for op in ops:
        for operand in op.operands:
            if operand not in inside and not is_constant(operand):
                found[operand] = None
    return list(found)


def _outside_uses(ops: Sequence[ir.Operation]) -> list[ir.Operation]:
    """Those ops whose results are used by anything but `ops`."""
    inside = set(ops)
    return [op for op in ops if any(use.owner.operation not in inside for r in op.results for use in r.uses)]


def _constants_are_splat(op: ir.Operation) -> bool:
    values = (constant_value(operand) for operand in op.operands if is_constant(operand))
    return all(value is None or value.size < 2 or bool((value == value.flat[0]).all()) for value in values)


def _keeps_shape(op: ir.Operation, source: ir.Value) -> bool:
    return ir.RankedTensorType(op.results[0].type).shape == ir.RankedTensorType(source.type).shape


def _pools_everything(op: ir.Operation) -> bool:
    _, height, width, _ = ir.RankedTensorType(op.operands[0].type).shape
    return list(ir.DenseI64ArrayAttr(op.attributes["kernel"])) == [height, width] and not any(
        ir.DenseI64ArrayAttr(op.attributes["pad"])
    )
