"""Kernels that a module brings along, compiled one by one to object files named after what they are made of.

The program goes to IREE with one executable of jumps to these kernels, and with the object files to link. A kernel is
thus compiled once, whatever programs it is in, and all cores compile. What it is called in a program, and how often it
runs there, is no part of it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Final

from quantune_mlir.backend.compile_cache import digest
from quantune_mlir.backend.executable_sources import ExecutableVariant, can_move, code_of, executable_of, inside
from quantune_mlir.mlir.bindings import arith, flow, hal, ir, passmanager
from quantune_mlir.mlir.function import functions
from quantune_mlir.mlir.text import module_bytecode, parse_module

_LINKED: Final = frozenset({"embedded_elf_x86_64", "embedded_elf_arm_64"})

_KERNEL: Final = "kernel"
_KEY_LENGTH: Final = 32
_LIBRARIES: Final = "link_embedded"
"""Whether IREE compiles its C library into each executable: three times the time, and few kernels call it."""
_OPTIONS: Final = {_LIBRARIES: False, "link_ukernel_bitcode": False, "debug_symbols": False}
_WITHOUT_PLACES: Final = "builtin.module(strip-debuginfo)"
_JUMPS: Final = "quantune_kernels"
_KERNEL_TEXT: Final = """
llvm.func @{name}(!llvm.ptr, !llvm.ptr, !llvm.ptr) -> i32 attributes {{hal.import.static}}
"""
_JUMP_TEXT: Final = """
llvm.func @{entry}(%environment: !llvm.ptr, %dispatch: !llvm.ptr, %workgroup: !llvm.ptr) -> i32 {{
  %0 = llvm.call tail @{name}(%environment, %dispatch, %workgroup) : (!llvm.ptr, !llvm.ptr, !llvm.ptr) -> i32
  llvm.return %0 : i32
}}
"""


def can_take_kernels(variant: ExecutableVariant) -> bool:
    """Whether object files of this kind can be made here, and taken apart: see kernel_compiler.py, kernel_object.py."""
    return variant.name in _LINKED and os.name == "posix"


def take_kernels(module: ir.Module, variant: ExecutableVariant, folder: Path) -> list[str]:
    """Write the code of each kernel to a file in `folder`, and leave a jump to the object file of the same name.

    Returns:
        The names, each once.
    """
    names: dict[str, None] = {}
    taken: dict[str, tuple[hal.ExecutableSourceOp, str]] = {}
    with module.context:
        unit_target = _unit_target(variant.target)
        for source in list(module.body.operations):
            if can_move(source) and len(_functions(source)) == 1:
                unit = _unit(source, ExecutableVariant(variant.name, unit_target))
                name = f"{_KERNEL}_{digest(module_bytecode(unit))[:_KEY_LENGTH]}"
                if name not in names:
                    _rename(unit, name)
                    (folder / f"{name}.mlirbc").write_bytes(module_bytecode(unit))
                    names[name] = None
                taken[source.sym_name.value] = source, name
        if taken:
            _leave_jumps(module, taken, variant)
    return list(names)


def batch(names: Sequence[str], folder: Path, context: ir.Context, *, with_libraries: bool = False) -> ir.Module:
    """One module with an executable of each kernel."""
    with context, ir.Location.unknown():
        module = ir.Module.create()
        for name in names:
            unit = parse_module((folder / f"{name}.mlirbc").read_bytes(), context)
            executable = unit.body.operations[0].operation.clone(ip=ir.InsertionPoint(module.body))
            if with_libraries:
                (variant,) = inside(executable)
                variant.attributes["target"] = _with(variant.attributes["target"], {_LIBRARIES: True})
    return module


def join(module: ir.Module, size: int) -> list[list[str]]:
    """Let executables of lowered kernels have so many each; their names, by executable, which is called as the first.

    One whose code has more than functions keeps that to itself.
    """
    groups: list[list[str]] = []
    into: ir.OpView | None = None
    with module.context, ir.Location.unknown():
        for executable in list(module.body.operations):
            name = ir.StringAttr(executable.attributes["sym_name"]).value
            if not _has_only_functions(executable):
                groups.insert(0, [name])
            elif into is None or len(groups[-1]) == size:
                groups.append([name])
                into = executable
            else:
                _join(into, executable, len(groups[-1]))
                groups[-1].append(name)
    return groups


def _has_only_functions(executable: ir.OpView) -> bool:
    return all(op.operation.name == "llvm.func" for op in _lowered(executable))


def _lowered(executable: ir.OpView) -> list[ir.OpView]:
    (variant,) = inside(executable)
    *_, code = inside(variant)
    return list(code.regions[0].blocks[0].operations)


def _join(executable: ir.OpView, other: ir.OpView, ordinal: int) -> None:
    """Let an executable have the kernel of another instead of that."""
    (variant,), (taken,) = inside(executable), inside(other)
    *_, code = inside(variant)
    export, *_ = inside(taken)
    export.operation.attributes["ordinal"] = ir.IntegerAttr.get(ir.IndexType.get(), ordinal)
    export.operation.move_before(code.operation)
    known = {function.attributes["sym_name"] for function in _lowered(executable)}
    for function in _lowered(other):
        if function.attributes["sym_name"] not in known:
            code.regions[0].blocks[0].append(function.operation)
    other.operation.erase()


def _unit_target(target: ir.Attribute) -> ir.Attribute:
    """The target of kernels: that of programs, but for what is linked later."""
    return _with(target, _OPTIONS)


def _with(target: ir.Attribute, options: dict[str, bool]) -> ir.Attribute:
    """A `#hal.executable.target` with other options: the bindings do not know this attribute."""
    text = str(target)
    for name, value in options.items():
        for before in (f"{name} = true, ", f"{name} = false, "):
            text = text.replace(before, "")
        text = text.replace("{", f"{{{name} = {str(value).lower()}, ", 1)
    return ir.Attribute.parse(text, target.context)


def _functions(source: hal.ExecutableSourceOp) -> list[ir.OpView]:
    """The functions that a program dispatches."""
    return [op for op in inside(source) if isinstance(op, hal.ExecutableExportOp)]


def _unit(source: hal.ExecutableSourceOp, variant: ExecutableVariant) -> ir.Module:
    """A module with the executable that IREE makes of `source`, but for its name, its place and its grid."""
    module = executable_of(source, variant)
    (executable,) = module.body.operations
    executable.attributes["sym_visibility"] = ir.StringAttr.get("public")
    (variant_op,) = inside(executable)
    (export,) = (op for op in inside(variant_op) if isinstance(op, hal.ExecutableExportOp))
    layout = export.attributes["layout"]
    with ir.Location.unknown(), ir.InsertionPoint(export):
        first = ir.IntegerAttr.get(ir.IndexType.get(), 0)
        fresh = hal.ExecutableExportOp(export.sym_name, layout, ordinal=first, sym_visibility="public")
        count = fresh.regions[0].blocks.append(ir.Type.parse("!hal.device"), arg_locs=[ir.Location.unknown()])
        with ir.InsertionPoint(count):
            one = arith.ConstantOp(ir.IndexType.get(), 1).result
            hal.ReturnOp([one, one, one])
    export.operation.erase()
    _rename(module, _KERNEL)
    passmanager.PassManager.parse(_WITHOUT_PLACES).run(module.operation)
    return module


def _rename(unit: ir.Module, name: str) -> None:
    (executable,) = unit.body.operations
    (variant,) = inside(executable)
    (export,) = (op for op in inside(variant) if isinstance(op, hal.ExecutableExportOp))
    (function,) = code_of(variant)
    for op in (executable, export, function):
        op.attributes["sym_name"] = ir.StringAttr.get(name)


def _leave_jumps(
    module: ir.Module, taken: Mapping[str, tuple[hal.ExecutableSourceOp, str]], variant: ExecutableVariant
) -> None:
    """One executable instead of those taken, by name: each costs IREE as much as a hundred jumps do."""
    names = list(dict.fromkeys(name for _, name in taken.values()))
    texts = [_KERNEL_TEXT.format(name=name) for name in names]
    texts += [_JUMP_TEXT.format(name=name, entry=entry) for entry, (_, name) in taken.items()]
    code = parse_module("".join(texts), module.context)
    with ir.Location.unknown(), ir.InsertionPoint.at_block_begin(module.body):
        jumps = hal.ExecutableSourceOp(_JUMPS, sym_visibility="private")
    with ir.Location.unknown(), ir.InsertionPoint(jumps.regions[0].blocks.append()):
        for ordinal, (entry, (source, _)) in enumerate(taken.items()):
            (export,) = _functions(source)
            copy = export.operation.clone()
            copy.attributes["sym_name"] = ir.StringAttr.get(entry)
            copy.attributes["ordinal"] = ir.IntegerAttr.get(ir.IndexType.get(), ordinal)
        code.operation.clone()
        hal.ExecutableSourceEndOp()
    files = ", ".join(f'#hal.executable.object<{{path = "{name}.o"}}>' for name in names)
    jumps.attributes["objects"] = ir.Attribute.parse(f"#hal.executable.objects<{{{variant.target} = [{files}]}}>")
    for source, _ in taken.values():
        source.operation.erase()
    for function in functions(module):
        function.walk(_calling_jumps(taken))


def _calling_jumps(taken: Collection[str]) -> Callable[[ir.Operation], ir.WalkResult]:
    def call(op: ir.Operation) -> ir.WalkResult:
        if isinstance(op.opview, flow.DispatchOp):
            (entry,) = ir.ArrayAttr(op.attributes["entry_points"])
            executable, *_ = ir.SymbolRefAttr(entry).value
            if executable in taken:
                op.attributes["entry_points"] = ir.ArrayAttr.get([ir.SymbolRefAttr.get([_JUMPS, executable])])
        return ir.WalkResult.ADVANCE

    return call
