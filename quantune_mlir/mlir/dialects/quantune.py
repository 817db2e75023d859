"""The quantune dialect in Python: builders and a verifier, the twin of dialects/quantune.irdl.mlir.

The bindings cannot load IRDL, so in-process the ops stand as unregistered generic ops; `verify` checks what
`iree-opt --irdl-file=` checks. They look for a dialect's module by its name, hence this one's (mlir/bindings.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from typing import Final, Literal

from quantune_mlir.errors import PassError
from quantune_mlir.mlir.bindings import ir
from quantune_mlir.numerics.parameters import QuantParams

FUSED: Final = "quantune.fused"
YIELD: Final = "tosa.yield"
KERNEL: Final = "kernel"
OBSERVE: Final = "quantune.observe"
OBSERVE_CHANNELS: Final = "quantune.observe_channels"
MEASURE: Final = "quantune.measure"
PROJECT: Final = "quantune.project"
MAX_POOL_ADJOINT: Final = "quantune.max_pool_adjoint"

Noise = Literal[
    "accumulated",
    "accumulated in channels",
    "local",
    "rounding",
    "projected",
    "projected lanes",
    "projected rounding",
    "projected rounding lanes",
    "residual",
]
ACCUMULATED: Final = "accumulated"
"""The error at a layer's output where every layer so far is int8."""
ACCUMULATED_IN_CHANNELS: Final = "accumulated in channels"
"""The same in one group of an output's channels, those of one scale."""
LOCAL: Final = "local"
"""The error at a layer's output where this layer alone is int8."""
ROUNDING: Final = "rounding"
"""The error of a tensor that is exact but for its own rounding to int8."""
PROJECTED: Final = "projected"
"""What a layer's error adds to a random direction of the output: see adjoint/noise_probe.py."""
PROJECTED_LANES: Final = "projected lanes"
"""The same in 64 lanes of the layer's result, each squared by itself."""
PROJECTED_ROUNDING: Final = "projected rounding"
"""What the rounding of a layer's result adds, like PROJECTED, through all that read it."""
PROJECTED_ROUNDING_LANES: Final = "projected rounding lanes"
"""The same, like PROJECTED_LANES."""
RESIDUAL: Final = "residual"
"""ACCUMULATED, where what tells nothing is taken off the output, see graph/baseline.py."""


def group_rows(layer: str) -> Iterator[tuple[str, Noise]]:
    """What the measures of an output's groups of channels are called, one after the other."""
    for group in count():
        yield f"{layer}, channels {group}", ACCUMULATED_IN_CHANNELS


Part = Literal["made", "kept", "rounded"]
MADE: Final = "made"
"""A projection of the error that a layer makes if it alone is int8."""
KEPT: Final = "kept"
"""A projection of the error that stays if the layer becomes fp32 among int8 ones."""
ROUNDED: Final = "rounded"
"""A projection of the error of the layer's result that is exact but for its rounding to int8."""


@dataclass(frozen=True)
class _OpDefinition:
    """What an op holds: element types of operands and results, which are tensors, and attributes with their types."""

    operands: tuple[tuple[str, ...], ...]
    attributes: dict[str, str]
    results: tuple[tuple[str, ...], ...] = ()


_STRING: Final = "string"
_INTEGERS: Final = "array of i64"
_F32: Final = ("f32",)
_DEFINITIONS: Final = {
    OBSERVE: _OpDefinition((_F32,), {"tensor_name": _STRING}),
    OBSERVE_CHANNELS: _OpDefinition((_F32,), {"tensor_name": _STRING}),
    MEASURE: _OpDefinition(
        (_F32, ("i8", "f32")), {"tensor_name": _STRING, "noise": _STRING, "scale": "f32", "zero_point": "i32"}
    ),
    PROJECT: _OpDefinition(
        (_F32, _F32, ("i8", "f32")),
        {"tensor_name": _STRING, "part": _STRING, "scale": "f32", "zero_point": "i32"},
    ),
    MAX_POOL_ADJOINT: _OpDefinition(
        (_F32, _F32, _F32), {"kernel": _INTEGERS, "stride": _INTEGERS, "pad": _INTEGERS}, (_F32,)
    ),
}


def observe(value: ir.Value, name: str, *, loc: ir.Location | None = None) -> ir.Operation:
    """Mark the f32 tensor `value` to be profiled under `name`. Built at the current insertion point."""
    return ir.Operation.create(OBSERVE, operands=[value], attributes={"tensor_name": ir.StringAttr.get(name)}, loc=loc)


def observe_channels(value: ir.Value, name: str, *, loc: ir.Location | None = None) -> ir.Operation:
    """Mark the f32 tensor `value`, whose mean and extremes are wanted for each channel. Otherwise like `observe`."""
    attributes = {"tensor_name": ir.StringAttr.get(name)}
    return ir.Operation.create(OBSERVE_CHANNELS, operands=[value], attributes=attributes, loc=loc)


def measure(
    reference: ir.Value,
    candidate: ir.Value,
    name: str,
    *,
    noise: Noise,
    params: QuantParams | None,
    loc: ir.Location | None = None,
) -> ir.Operation:
    """Mark `candidate`, i8 with `params` or f32 without, to be compared with the f32 `reference`.

    Built at the current insertion point.
    """
    attributes = {"tensor_name": ir.StringAttr.get(name), "noise": ir.StringAttr.get(noise), **_meaning(params)}
    return ir.Operation.create(MEASURE, operands=[reference, candidate], attributes=attributes, loc=loc)


def project(
    cotangent: ir.Value,
    reference: ir.Value,
    candidate: ir.Value,
    name: str,
    *,
    part: Part,
    params: QuantParams | None,
    loc: ir.Location | None = None,
) -> ir.Operation:
    """Mark the inner product of `cotangent` and the error of `candidate`, to be added to a part of `name`'s projection.

    Tensors of as many elements; otherwise like `measure`.
    """
    attributes = {"tensor_name": ir.StringAttr.get(name), "part": ir.StringAttr.get(part), **_meaning(params)}
    return ir.Operation.create(PROJECT, operands=[cotangent, reference, candidate], attributes=attributes, loc=loc)


def max_pool_adjoint(pooling: ir.Operation, cotangent: ir.Value) -> ir.Value:
    """The cotangent of what a tosa.max_pool2d reads, from that of its result. Built at the current insertion point."""
    source, result = pooling.operands[0], pooling.results[0]
    attributes = {name: pooling.attributes[name] for name in ("kernel", "stride", "pad")}
    op = ir.Operation.create(
        MAX_POOL_ADJOINT, operands=[source, result, cotangent], results=[source.type], attributes=attributes
    )
    return op.results[0]


def _meaning(params: QuantParams | None) -> dict[str, ir.Attribute]:
    """What the numbers of a candidate mean."""
    params = params or QuantParams(1.0)
    return {
        "scale": ir.FloatAttr.get(ir.F32Type.get(), params.scale),
        "zero_point": ir.IntegerAttr.get(ir.IntegerType.get_signless(32), params.zero_point),
    }


_KERNEL_CODE: Final = "hal.executable.source"
"""Holds thousands of ops, and none of ours."""


def verify(module: ir.Module) -> None:
    """Raise PassError, with the location, for the first quantune op that does not meet the dialect's definition."""
    problem = next(_problems(module), None)
    if problem is not None:
        op, what = problem
        raise PassError(f"'{op.name}' op {what}", where=str(op.location))


def _problems(module: ir.Module) -> Iterator[tuple[ir.Operation, str]]:
    operations: list[ir.Operation] = []

    def collect(op: ir.Operation) -> ir.WalkResult:
        if op.name.startswith("quantune."):
            operations.append(op)
        return ir.WalkResult.SKIP if op.name == _KERNEL_CODE else ir.WalkResult.ADVANCE

    module.operation.walk(collect, ir.WalkOrder.PRE_ORDER)
    for op in operations:
        what = _problem(op)
        if what:
            yield op, what


def _problem(op: ir.Operation) -> str | None:
    if op.name == FUSED:
        return _problem_of_fused(op)
    definition = _DEFINITIONS.get(op.name)
    if definition is None:
        return "is not defined in the quantune dialect"
    if len(op.results) != len(definition.results):
        return f"has {len(definition.results) or 'no'} results by definition"
    if len(op.operands) != len(definition.operands):
        return f"expects {len(definition.operands)} operand(s)"
    if len(op.regions):
        return "has no regions by definition"
    for role, values, expected in (
        ("operand", op.operands, definition.operands),
        ("result", op.results, definition.results),
    ):
        for index, (value, elements) in enumerate(zip(values, expected, strict=True)):
            if not isinstance(value.type, ir.RankedTensorType) or str(value.type.element_type) not in elements:
                return f"expects a tensor of {' or '.join(elements)} as {role} {index}, got {value.type}"
    for name, kind in definition.attributes.items():
        if name not in op.attributes:
            return f"lacks the attribute '{name}'"
        if _kind(op.attributes[name]) != kind:
            return f"expects an attribute '{name}' of type {kind}, got {op.attributes[name]}"
    return None


def _problem_of_fused(op: ir.Operation) -> str | None:
    if KERNEL not in op.attributes or not isinstance(op.attributes[KERNEL], ir.StringAttr):
        return f"expects an attribute '{KERNEL}' of type {_STRING}"
    if len(op.results) != 1 or len(op.regions) != 1 or len(op.regions[0].blocks) != 1:
        return "expects one result and a region of one block"
    if not isinstance(op.results[0].type, ir.RankedTensorType):
        return f"expects a tensor as result, got {op.results[0].type}"
    if len(op.operands) or len(op.regions[0].blocks[0].arguments):
        return "has no operands by definition: its body uses values from outside"
    *_, last = op.regions[0].blocks[0].operations
    if last.operation.name != YIELD or [o.type for o in last.operands] != [op.results[0].type]:
        return f"expects a body that ends with '{YIELD}' of its result's type"
    return None


def _kind(attribute: ir.Attribute) -> str:
    if isinstance(attribute, ir.StringAttr):
        return _STRING
    return _INTEGERS if isinstance(attribute, ir.DenseI64ArrayAttr) else str(getattr(attribute, "type", "none"))
