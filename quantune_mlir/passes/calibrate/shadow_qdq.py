"""quantune-shadow-qdq.

In:  as quantune-lower-qdq: fp32 TOSA with clamps where a tensor is rounded.
Out: the same without the roundings, and beside it the forms that quantune-lower-qdq makes, compared by
     `quantune.measure`:
     accumulated: every rounding made, so that errors add up;
     local:       the fp32 run's result of the layer, rounded as the model rounds it. Integers are computed with
                  exactly, and weights are those of the integers in both, so that there is no other error.

Clamps that had been joined with a rounding keep their own bounds, and so does what quantizers leave to saturation (see
`saturating_clamp`). A rounding goes with what it follows, where it is in
its epilogue; others are layers of their own. The module's attribute `quantune.shadowed` describes the layers:

    name, op     of the model's node
    inputs       the layers that it reads, the graph's inputs left out
    int8         whether it is computed or rounded in int8
    elements, macs, weights
    result       whether the network returns it, perhaps moved
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import isclose, prod
from typing import ClassVar, Final

from quantune_mlir.graph.layers import multiply_accumulates
from quantune_mlir.graph.network import Network
from quantune_mlir.graph.units import Kind, Unit
from quantune_mlir.integer.integer_options import IntegerOptions, RequantizeMode
from quantune_mlir.integer.rewriter import Rewriter
from quantune_mlir.integer.unit_emitter import UnitEmitter
from quantune_mlir.mlir.attributes import JOINED_CLAMP, QPARAMS, SHADOWED
from quantune_mlir.mlir.bindings import ir
from quantune_mlir.mlir.constants import is_constant, is_float
from quantune_mlir.mlir.dialects import quantune
from quantune_mlir.mlir.dialects.quantune import ACCUMULATED, LOCAL, Noise
from quantune_mlir.mlir.qparams import from_attribute
from quantune_mlir.numerics.parameters import QuantParams
from quantune_mlir.passes.quantize.lower_qdq import QdqLowering, rounded_values
from quantune_mlir.pipeline.base import NetworkPass

_LARGEST: Final = 3.4028234663852886e38
_PASSED_ON: Final = (Kind.MOVEMENT, Kind.CONCAT, Kind.CLAMP)
"""What does not round a tensor that is rounded already, if the parameters stay."""


@dataclass(frozen=True)
class ShadowQdq(NetworkPass):
    """Run a quantized model beside itself without roundings, and measure the difference."""

    name: ClassVar[str] = "quantune-shadow-qdq"

    requantize: RequantizeMode = "float"

    def apply_to(self, network: Network) -> None:
        rounded = rounded_values(network)
        lowering = QdqLowering(network, rounded, self.requantize)
        for unit in network.units:
            lowering.lower(unit)
        layers = {name: (unit, end) for unit, end, name in _ends(network, lowering) if is_float(end)}
        for name, (unit, end) in layers.items():
            following = ir.InsertionPoint.after(end.owner.operation).ref_operation
            assert following is not None, "a function returns"
            _measure(lowering.rewriter, end, name, ACCUMULATED, following)
            params = _rounds_to(lowering.rewriter, unit, end)
            if params is not None:
                alone = Rewriter({end: params}, IntegerOptions())
                alone.int8(end, UnitEmitter(unit, following))
                _measure(alone, end, name, LOCAL, following)
        for value in rounded:
            _without_rounding(value.owner.operation)
        rows = _described(network, lowering, layers)
        network.module.attributes[SHADOWED] = ir.ArrayAttr.get(rows, network.module.context)


def _ends(network: Network, lowering: QdqLowering) -> Iterator[tuple[Unit, ir.Value, str]]:
    """The units that belong to a layer, what they make, and the layer."""
    in_epilogues: set[ir.Value] = set()
    for unit in network.units:
        end = lowering.end_of(unit)
        if end != unit.output:
            in_epilogues.add(end)
        if unit.layer is not None and unit.output not in in_epilogues:
            yield unit, end, unit.layer


def _rounds_to(rewriter: Rewriter, unit: Unit, end: ir.Value) -> QuantParams | None:
    """The parameters that a layer rounds its result to; None of what is not rounded, or was already."""
    found = rewriter.given_int8(end)
    if found is None:
        return None
    only_moves = end == unit.output and unit.kind in _PASSED_ON
    sources = [rewriter.given_int8(value) for value in unit.inputs] if only_moves else [None]
    rounded_before = all(source is not None and source.params == found.params for source in sources)
    return None if rounded_before else found.params


def _measure(rewriter: Rewriter, value: ir.Value, name: str, noise: Noise, before: ir.Operation) -> None:
    approximation, params = rewriter.form(value)
    with ir.InsertionPoint(before), value.owner.operation.location:
        quantune.measure(value, approximation, name, noise=noise, params=params)


def _without_rounding(clamp: ir.Operation) -> None:
    """Gives a clamp that rounds the bounds that it has apart from that."""
    if JOINED_CLAMP in clamp.attributes:
        low, high = ir.DenseF32ArrayAttr(clamp.attributes[JOINED_CLAMP])
        del clamp.attributes[JOINED_CLAMP]
    else:
        low, high = saturating_clamp(from_attribute(clamp.attributes[QPARAMS]))
    for name, bound in (("min_val", low), ("max_val", high)):
        clamp.attributes[name] = ir.FloatAttr.get(ir.FloatAttr(clamp.attributes[name]).type, bound)
    del clamp.attributes[QPARAMS]


def saturating_clamp(params: QuantParams) -> tuple[float, float]:
    """The bounds of the ReLU or ReLU6 that a quantizer may have left to saturation; none where it has not.

    Where the zero point is the least code, nothing below 0 is told apart.
    """
    if params.zero_point > params.qmin:
        return -_LARGEST, _LARGEST
    return 0.0, 6.0 if isclose(params.hi, 6.0, rel_tol=1e-5) else _LARGEST


def _described(
    network: Network, lowering: QdqLowering, layers: Mapping[str, tuple[Unit, ir.Value]]
) -> list[ir.Attribute]:
    context, makers = network.module.context, network.makers
    made_by = {end: name for name, (_, end) in layers.items()}
    i64 = ir.IntegerType.get_signless(64, context)

    def sources(values: Sequence[ir.Value]) -> Iterator[str]:
        for value in values:
            if value in made_by:
                yield made_by[value]
            elif value in makers:
                yield from sources(makers[value].inputs)

    *_, terminator = network.block
    results = {*sources(list(terminator.operation.operands))}

    def text(value: str) -> ir.Attribute:
        return ir.StringAttr.get(value, context)

    def count(value: int) -> ir.Attribute:
        return ir.IntegerAttr.get(i64, value)

    rows: list[ir.Attribute] = []
    for name, (unit, end) in layers.items():
        is_product = unit.kind is Kind.DOT
        weights = [v for v in list(unit.op.operands)[1:2] if is_product and is_constant(v)]
        fields = {
            "name": text(name),
            "op": text(unit.op_type or ""),
            "inputs": ir.ArrayAttr.get([text(each) for each in dict.fromkeys(sources(unit.inputs))], context),
            "int8": ir.BoolAttr.get(lowering.rewriter.given_int8(end) is not None, context),
            "elements": count(prod(ir.RankedTensorType(end.type).shape)),
            "macs": count(multiply_accumulates(unit.op) if is_product else 0),
            "weights": count(sum(prod(ir.RankedTensorType(v.type).shape) for v in weights)),
            "result": ir.BoolAttr.get(name in results, context),
        }
        rows.append(ir.DictAttr.get(fields, context))
    return rows
