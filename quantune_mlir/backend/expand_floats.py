"""Float operations that a CPU has no instruction for, in terms of those that it has.

LLVM would call C's mathematics library for them, which a .vmfb has not, and a microcontroller need not have. In IREE's
output, where kernels are in the LLVM dialect:

In:  minima, maxima and rounding of f32, and the largest or smallest element of a vector.
Out: comparisons, selections and conversions.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from quantune_mlir.mlir.bindings import ir
from quantune_mlir.mlir.text import parse_module

_SELECT: Final = """
llvm.func @expanded(%a: !t, %b: !t) -> !t {{
  %first = llvm.fcmp "{order}" %a, %b : !t
  %chosen = llvm.select %first, %a, %b : !b, !t
  %nan = llvm.fcmp "uno" {asked}, {asked} : !t
  %result = llvm.select %nan, %a, %chosen : !b, !t
  llvm.return %result : !t
}}
"""
"""Where one is a NaN the comparison chooses the second."""
_ROUND: Final = """
llvm.func @expanded(%x: !t) -> !t {{
  %whole = llvm.fptosi %x : !t to !i
  %near = llvm.sitofp %whole : !i to !t
  %one = llvm.mlir.constant({one} : !t) : !t
  %half = llvm.mlir.constant({half} : !t) : !t
  %zero = llvm.mlir.constant({zero} : !t) : !t
  %most = llvm.mlir.constant({most} : !t) : !t
  {body}
  %signed = llvm.intr.copysign(%result, %x) : (!t, !t) -> !t
  %size = llvm.intr.fabs(%x) : (!t) -> !t
  %large = llvm.fcmp "uge" %size, %most : !t
  %kept = llvm.select %large, %x, %signed : !b, !t
  llvm.return %kept : !t
}}
"""
"""From 2**23 on every f32 is whole; so are infinities, and a NaN is unordered."""
_DOWN: Final = """
  %above = llvm.fcmp "ogt" %near, %x : !t
  %step = llvm.select %above, %one, %zero : !b, !t
  %result = llvm.fsub %near, %step : !t
"""
_UP: Final = """
  %below = llvm.fcmp "olt" %near, %x : !t
  %step = llvm.select %below, %one, %zero : !b, !t
  %result = llvm.fadd %near, %step : !t
"""
_EVEN: Final = """
  %magic = llvm.intr.copysign(%most, %x) : (!t, !t) -> !t
  %sum = llvm.fadd %x, %magic : !t
  %result = llvm.fsub %sum, %magic : !t
"""
_AWAY: Final = """
  %rest = llvm.fsub %x, %near : !t
  %distance = llvm.intr.fabs(%rest) : (!t) -> !t
  %far = llvm.fcmp "oge" %distance, %half : !t
  %unit = llvm.intr.copysign(%one, %x) : (!t, !t) -> !t
  %step = llvm.select %far, %unit, %zero : !b, !t
  %result = llvm.fadd %near, %step : !t
"""
_TRUNCATED: Final = "%result = llvm.fadd %near, %zero : !t"

_OF_TWO: Final = {
    "llvm.intr.maxnum": _SELECT.format(order="ogt", asked="%b"),
    "llvm.intr.minnum": _SELECT.format(order="olt", asked="%b"),
    "llvm.intr.maximum": _SELECT.format(order="ogt", asked="%a"),
    "llvm.intr.minimum": _SELECT.format(order="olt", asked="%a"),
}
_OF_ONE: Final = {
    "llvm.intr.ceil": _UP,
    "llvm.intr.floor": _DOWN,
    "llvm.intr.nearbyint": _EVEN,
    "llvm.intr.rint": _EVEN,
    "llvm.intr.round": _AWAY,
    "llvm.intr.roundeven": _EVEN,
    "llvm.intr.trunc": _TRUNCATED,
}
_TYPES: Final = (("t", "f32"), ("b", "i1"), ("i", "i32"))
_CONSTANTS: Final = {"one": 1.0, "half": 0.5, "zero": 0.0, "most": 8388608.0}
_REDUCTIONS: Final = {
    "llvm.intr.vector.reduce.fmax": "llvm.intr.maxnum",
    "llvm.intr.vector.reduce.fmin": "llvm.intr.minnum",
    "llvm.intr.vector.reduce.fmaximum": "llvm.intr.maximum",
    "llvm.intr.vector.reduce.fminimum": "llvm.intr.minimum",
}


def expand_floats(module: ir.Module) -> None:
    """Expand them in a module of the phase `executable-targets`."""
    for op in list(_inside(module.operation)):
        if op.name in _REDUCTIONS:
            _expand_reduction(op)
    expansions: dict[tuple[str, str], ir.Module] = {}
    for op in list(_inside(module.operation)):
        if op.name in _OF_ONE or op.name in _OF_TWO:
            kind = str(op.results[0].type)
            if _scalar(kind) == "f32":
                key = op.name, kind
                expansions[key] = expansions.get(key) or parse_module(_expansion(*key), module.context)
                _replace(op, expansions[key].body.operations[0].operation)


def _inside(op: ir.Operation) -> Iterator[ir.Operation]:
    for region in op.regions:
        for block in region.blocks:
            for view in block.operations:
                yield view.operation
                yield from _inside(view.operation)


def _scalar(kind: str) -> str:
    """The element type of a vector, or the scalar itself."""
    return kind.removesuffix(">").rpartition("x")[2]


def _expand_reduction(op: ir.Operation) -> None:
    """A chain of maxima or minima."""
    (vector,) = op.operands
    kind, word = op.results[0].type, ir.IntegerType.get_signless(64, op.context)
    with ir.InsertionPoint(op), op.location:
        result: ir.Value | None = None
        for i in range(ir.VectorType(vector.type).shape[0]):
            place = {"value": ir.IntegerAttr.get(word, i)}
            at = ir.Operation.create("llvm.mlir.constant", [word], attributes=place).result
            element = ir.Operation.create("llvm.extractelement", [kind], [vector, at]).result
            pair = [element] if result is None else [result, element]
            result = element if result is None else ir.Operation.create(_REDUCTIONS[op.name], [kind], pair).result
    assert result is not None
    op.results[0].replace_all_uses_with(result)
    op.erase()


def _expansion(name: str, kind: str) -> str:
    """A function that computes what the operation does."""
    types = (f"!{letter} = {kind.replace('f32', element)}\n" for letter, element in _TYPES)
    if name in _OF_TWO:
        return "".join(types) + _OF_TWO[name]
    splat = "{:e}" if kind == "f32" else "dense<{:e}>"
    constants = {constant: splat.format(value) for constant, value in _CONSTANTS.items()}
    return "".join(types) + _ROUND.format(body=_OF_ONE[name], **constants)


def _replace(op: ir.Operation, function: ir.Operation) -> None:
    """Put the function's body in the place of `op`."""
    (block,) = function.regions[0].blocks
    values: dict[ir.Value, ir.Value] = dict(zip(block.arguments, op.operands, strict=True))
    for view in block.operations:
        original = view.operation
        if original.name == "llvm.return":
            op.results[0].replace_all_uses_with(values[original.operands[0]])
            op.erase()
            return
        copy = original.clone(ir.InsertionPoint(op))
        for i, operand in enumerate(original.operands):
            copy.operands[i] = values[operand]
        values.update(zip(original.results, copy.results, strict=True))
