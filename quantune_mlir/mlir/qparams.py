"""Quantization parameters as attributes.

    quantune.qparams = {bits = 8 : i32, scale = 0.05 : f32, zero_point = -3 : i32}

What does not tell its bits is int8.
"""

from __future__ import annotations

from collections.abc import Mapping

from quantune_mlir.mlir.attributes import QPARAMS
from quantune_mlir.mlir.bindings import ir
from quantune_mlir.mlir.function import entry_block
from quantune_mlir.numerics.formats import INT8_ACTIVATIONS, activation_codes
from quantune_mlir.numerics.parameters import QuantParams


def to_attribute(params: QuantParams, context: ir.Context) -> ir.DictAttr:
    """The attribute form of `params`."""
    scale = ir.FloatAttr.get(ir.F32Type.get(context), params.scale, loc=ir.Location.unknown(context))
    i32 = ir.IntegerType.get_signless(32, context)
    bits, zero_point = (ir.IntegerAttr.get(i32, number) for number in (params.codes.bits, params.zero_point))
    return ir.DictAttr.get({"bits": bits, "scale": scale, "zero_point": zero_point}, context)


def from_attribute(attribute: ir.Attribute) -> QuantParams:
    """The parameters that `to_attribute` wrote. Raises DataError if no number format has codes of such a width."""
    fields = ir.DictAttr(attribute)
    codes = activation_codes(ir.IntegerAttr(fields["bits"]).value) if "bits" in fields else INT8_ACTIVATIONS
    return QuantParams(ir.FloatAttr(fields["scale"]).value, ir.IntegerAttr(fields["zero_point"]).value, codes)


def write_qparams(function: ir.Operation, params: Mapping[ir.Value, QuantParams]) -> None:
    """Annotates the producers of the given values, and the function's arguments."""
    context = function.context
    arguments = entry_block(function).arguments
    if "arg_attrs" in function.attributes:
        dictionaries = [ir.DictAttr(a) for a in ir.ArrayAttr(function.attributes["arg_attrs"])]
    else:
        dictionaries = [ir.DictAttr.get({}, context) for _ in arguments]
    for index, argument in enumerate(arguments):
        if argument in params:
            fields = {named.name: named.attr for named in dictionaries[index]}
            fields[QPARAMS] = to_attribute(params[argument], context)
            dictionaries[index] = ir.DictAttr.get(fields, context)
    function.attributes["arg_attrs"] = ir.ArrayAttr.get(dictionaries, context)
    for value, chosen in params.items():
        if not isinstance(value, ir.BlockArgument):
            value.owner.operation.attributes[QPARAMS] = to_attribute(chosen, context)


def read_qparams(function: ir.Operation) -> dict[ir.Value, QuantParams]:
    """The parameters of every annotated value of a function."""
    block = entry_block(function)
    found: dict[ir.Value, QuantParams] = {}
    if "arg_attrs" in function.attributes:
        for argument, attribute in zip(block.arguments, ir.ArrayAttr(function.attributes["arg_attrs"]), strict=True):
            fields = ir.DictAttr(attribute)
            if QPARAMS in fields:
                found[argument] = from_attribute(fields[QPARAMS])
    for op in block:
        if QPARAMS in op.operation.attributes:
            found[op.operation.results[0]] = from_attribute(op.operation.attributes[QPARAMS])
    return found


def remove_argument_qparams(function: ir.Operation) -> None:
    """Drops the annotations of a function's arguments."""
    if "arg_attrs" not in function.attributes:
        return
    kept = [
        ir.DictAttr.get({named.name: named.attr for named in ir.DictAttr(attribute) if named.name != QPARAMS})
        for attribute in ir.ArrayAttr(function.attributes["arg_attrs"])
    ]
    function.attributes["arg_attrs"] = ir.ArrayAttr.get(kept, function.context)


def set_integer_boundary(
    function: ir.Operation, arguments: Mapping[int, QuantParams], results: Mapping[int, QuantParams]
) -> None:
    """Makes arguments i8, and says what they and i8 results stand for; the body has to fit already."""
    block = entry_block(function)
    *_, terminator = block
    i8 = ir.IntegerType.get_signless(8, function.context)
    for number in arguments:
        argument = block.arguments[number]
        argument.set_type(ir.RankedTensorType.get(ir.RankedTensorType(argument.type).shape, i8))
    inputs, outputs = ([value.type for value in values] for values in (block.arguments, terminator.operation.operands))
    function.attributes["function_type"] = ir.TypeAttr.get(ir.FunctionType.get(inputs, outputs))
    for key, count, params in (("arg_attrs", len(inputs), arguments), ("res_attrs", len(outputs), results)):
        known = key in function.attributes
        rows = list(ir.ArrayAttr(function.attributes[key])) if known else [ir.DictAttr.get({})] * count
        for number, chosen in params.items():
            fields = {named.name: named.attr for named in ir.DictAttr(rows[number])}
            rows[number] = ir.DictAttr.get({**fields, QPARAMS: to_attribute(chosen, function.context)})
        function.attributes[key] = ir.ArrayAttr.get(rows, function.context)


def boundary_params(function: ir.Operation, key: str, count: int) -> list[QuantParams | None]:
    """What each argument (key "arg_attrs") or result ("res_attrs") stands for; None where it stands for itself."""
    if key not in function.attributes:
        return [None] * count
    rows = (ir.DictAttr(row) for row in ir.ArrayAttr(function.attributes[key]))
    return [from_attribute(row[QPARAMS]) if QPARAMS in row else None for row in rows]
