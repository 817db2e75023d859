"""Executables of kernels, for IREE to make object files of, several at once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from quantune_mlir.backend.executable_sources import TO_LLVM
from quantune_mlir.backend.kernel_job import KernelTarget
from quantune_mlir.kernels.emit.receiver import LAYOUT
from quantune_mlir.mlir.bindings import ir, passmanager
from quantune_mlir.mlir.text import parse_module

WITHOUT_PLACES: Final = "builtin.module(strip-debuginfo)"
_EXECUTABLE: Final = """
hal.executable public @{name} {{
  hal.executable.variant public @{variant} target(#target) {{
    hal.executable.export public @{name} ordinal(0) layout({layout})
        count(%device: !hal.device) -> (index, index, index) {{
      %one = arith.constant 1 : index
      hal.return %one, %one, %one : index, index, index
    }}
    builtin.module {{
    }}
  }}
}}
"""
"""One without code."""


def batch(
    codes: Mapping[str, bytes], target: KernelTarget, context: ir.Context, *, with_libraries: bool = False
) -> ir.Module:
    """One module with an executable of each kernel, given by name; see `Receiver` for the code."""
    modules = [parse_module(code, context) for code in codes.values()]
    functions = [module.body.operations[0] for module in modules]
    options = target.options(with_libraries=with_libraries)
    texts = [
        _EXECUTABLE.format(name=name, variant=target.variant, layout=function.attributes[LAYOUT])
        for name, function in zip(codes, functions, strict=True)
    ]
    whole = parse_module("".join([f"#target = {options}", *texts]), context)
    passmanager.PassManager.parse(WITHOUT_PLACES, context).run(whole.operation)
    with context:
        to_llvm = ir.Attribute.parse(TO_LLVM)
        for executable, name, function in zip(whole.body.operations, codes, functions, strict=True):
            function.attributes["sym_name"] = ir.StringAttr.get(name)
            function.attributes["translation_info"] = to_llvm
            del function.attributes[LAYOUT]
            _code(executable).append(function.operation)
    return whole


def join(module: ir.Module, size: int) -> list[list[str]]:
    """Let executables of lowered kernels have so many each; their names, by executable, which is called as the first.

    One whose code has more than functions keeps that to itself.
    """
    groups: list[list[str]] = []
    into: ir.OpView | None = None
    with module.context, ir.Location.unknown():
        for executable in list(module.body.operations):
            name = ir.StringAttr(executable.attributes["sym_name"]).value
            if any(op.operation.name != "llvm.func" for op in _code(executable)):
                groups.insert(0, [name])
            elif into is None or len(groups[-1]) == size:
                groups.append([name])
                into = executable
            else:
                _join(into, executable, len(groups[-1]))
                groups[-1].append(name)
    return groups


def _join(executable: ir.OpView, other: ir.OpView, ordinal: int) -> None:
    """Let an executable have the kernel of another instead of that."""
    variant, taken = _variant(executable), _variant(other)
    export = taken.operations[0].operation
    export.attributes["ordinal"] = ir.IntegerAttr.get(ir.IndexType.get(), ordinal)
    export.move_before(variant.operations[1].operation)
    code = _code(executable)
    known = {function.attributes["sym_name"] for function in code}
    for function in list(_code(other)):
        if function.attributes["sym_name"] not in known:
            code.append(function.operation)
    other.operation.erase()


def _variant(executable: ir.OpView) -> ir.Block:
    return executable.regions[0].blocks[0].operations[0].regions[0].blocks[0]


def _code(executable: ir.OpView) -> ir.Block:
    """Of the module within."""
    (code,) = (op for op in _variant(executable).operations if op.operation.name == "builtin.module")
    return code.regions[0].blocks[0]
