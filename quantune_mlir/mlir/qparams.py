"""Quantization parameters as attributes.

    quantune.qparams = {bits = 8 : i32, scale = 0.05 : f32, zero_point = -3 : i32}

What does not tell its bits is int8. Beside them `quantune.range = array<f32: -6.4, 6.3>`, what wider codes than int8
take their scale from.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from quantune_mlir.mlir.attributes import QPARAMS, RANGE
from quantune_mlir.mlir.bindings import ir
from quantune_mlir.mlir.function import entry_block
from quantune_mlir.numerics.formats import INT8_ACTIVATIONS, activation_codes
from quantune_mlir.numerics.parameters import QuantParams

Range = tuple[float, float]
"""The least and the largest number that a tensor held."""


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
    _write(function, QPARAMS, {value: to_attribute(chosen, function.context) for value, chosen in params.items()})


def read_qparams(function: ir.Operation) -> dict[ir.Value, QuantParams]:
    """The parameters of every annotated value of a function."""
    return {value: from_attribute(attribute) for value, attribute in _read(function, QPARAMS)}


def write_ranges(function: ir.Operation, ranges: Mapping[ir.Value, Range]) -> None:
    """Annotates the producers of the given values, and the function's arguments."""
    context = function.context
    _write(function, RANGE, {value: ir.DenseF32ArrayAttr.get(list(ends), context) for value, ends in ranges.items()})


def read_ranges(function: ir.Operation) -> dict[ir.Value, Range]:
    """The range of every annotated value of a function."""
    arrays = ((value, ir.DenseF32ArrayAttr(attribute)) for value, attribute in _read(function, RANGE))
    return {value: (array[0], array[1]) for value, array in arrays}


def _write(function: ir.Operation, name: str, attributes: Mapping[ir.Value, ir.Attribute]) -> None:
    context = function.context
    arguments = entry_block(function).arguments
    if "arg_attrs" in function.attributes:
        dictionaries = [ir.DictAttr(a) for a in ir.ArrayAttr(function.attributes["arg_attrs"])]
    else:
        dictionaries = [ir.DictAttr.get({}, context) for _ in arguments]
    for index, argument in enumerate(arguments):
        if argument in attributes:
            fields = {named.name: named.attr for named in dictionaries[index]}
            fields[name] = attributes[argument]
            dictionaries[index] = ir.DictAttr.get(fields, context)
    function.attributes["arg_attrs"] = ir.ArrayAttr.get(dictionaries, context)
    for value, attribute in attributes.items():
        if not isinstance(value, ir.BlockArgument):
            value.owner.operation.attributes[name] = attribute


def _read(function: ir.Operation, name: str) -> Iterator[tuple[ir.Value, ir.Attribute]]:
    block = entry_block(function)
    if "arg_attrs" in function.attributes:
        for argument, attribute in zip(block.arguments, ir.ArrayAttr(function.attributes["arg_attrs"]), strict=True):
            fields = ir.DictAttr(attribute)
            if name in fields:
                yield argument, fields[name]
    for op in block:
        if name in op.operation.attributes:
            yield op.operation.results[0], op.operation.attributes[name]


def remove_argument_qparams(function: ir.Operation) -> None:
    """Drops the annotations of a function's arguments."""
    if "arg_attrs" not in function.attributes:
        return
    kept = [
        ir.DictAttr.get(
            {named.name: named.attr for named in ir.DictAttr(attribute) if named.name not in (QPARAMS, RANGE)}
        )
        for attribute in ir.ArrayAttr(function.attributes["arg_attrs"])
    ]
    function.attributes["arg_attrs"] = ir.ArrayAttr.get(kept, function.context)


def set_integer_boundary(
    function: ir.Operation, arguments: Mapping[int, QuantParams], results: Mapping[int, QuantParams]
) -> None:
    """Says what integer arguments and results stand for; the function's type becomes that of its body."""
    block = entry_block(function)
    *_, terminator = block
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
