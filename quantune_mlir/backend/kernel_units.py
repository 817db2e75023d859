"""Kernels that a module brings along, compiled one by one to object files named after what they are made of.

The program goes to IREE with a jump to a function in each executable, and with the object files to link. A kernel is
thus compiled once, whatever programs it is in, and all cores compile. What it is called in a program, and how often it
runs there, is no part of it.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from quantune_mlir.backend.compile_cache import digest
from quantune_mlir.backend.executable_sources import ExecutableVariant, can_move, code_of, executable_of, inside
from quantune_mlir.mlir.bindings import arith, hal, ir, passmanager
from quantune_mlir.mlir.text import module_bytecode, parse_module

_LINKED: Final = frozenset({"embedded_elf_x86_64", "embedded_elf_arm_64"})

_KERNEL: Final = "kernel"
_KEY_LENGTH: Final = 32
_LIBRARIES: Final = "link_embedded"
"""Whether IREE compiles its C library into each executable: three times the time, and few kernels call it."""
_OPTIONS: Final = {_LIBRARIES: False, "link_ukernel_bitcode": False, "debug_symbols": False}
_WITHOUT_PLACES: Final = "builtin.module(strip-debuginfo)"
_JUMP: Final = """
llvm.func @{name}(!llvm.ptr, !llvm.ptr, !llvm.ptr) -> i32 attributes {{hal.import.static}}
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
                _leave_jump(source, name, variant)
    return list(names)


def batch(
    groups: Sequence[Sequence[str]], folder: Path, context: ir.Context, *, with_libraries: bool = False
) -> ir.Module:
    """One module with an executable of each group of kernels."""
    with context, ir.Location.unknown():
        module = ir.Module.create()
        for names in groups:
            units = [parse_module((folder / f"{name}.mlirbc").read_bytes(), context) for name in names]
            (first,), *others = (list(unit.body.operations) for unit in units)
            executable = first.operation.clone(ip=ir.InsertionPoint(module.body))
            (variant,) = inside(executable)
            if with_libraries:
                variant.attributes["target"] = _with(variant.attributes["target"], {_LIBRARIES: True})
            for ordinal, (other,) in enumerate(others, 1):
                _join(variant, other, ordinal)
    return module


def _join(variant: ir.OpView, other: ir.OpView, ordinal: int) -> None:
    """Let a variant have the kernel of another, too."""
    (others,) = inside(other)
    *_, code = inside(variant)
    export, others_code = inside(others)
    export.operation.clone(ip=ir.InsertionPoint(code)).attributes["ordinal"] = ir.IntegerAttr.get(
        ir.IndexType.get(), ordinal
    )
    for function in others_code.regions[0].blocks[0].operations:
        function.operation.clone(ip=ir.InsertionPoint(code.regions[0].blocks[0]))


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


def _leave_jump(source: hal.ExecutableSourceOp, name: str, variant: ExecutableVariant) -> None:
    (entry,) = (op.sym_name.value for op in _functions(source))
    for function in code_of(source):
        function.operation.erase()
    (code,) = (op for op in inside(source) if op.operation.name == "builtin.module")
    jump = parse_module(_JUMP.format(name=name, entry=entry), source.context)
    for function in jump.body.operations:
        function.operation.clone(ip=ir.InsertionPoint(code.regions[0].blocks[0]))
    objects = f'#hal.executable.objects<{{{variant.target} = [#hal.executable.object<{{path = "{name}.o"}}>]}}>'
    source.attributes["objects"] = ir.Attribute.parse(objects)
