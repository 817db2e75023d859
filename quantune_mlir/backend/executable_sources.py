"""Executables that a module brings along, moved to files of their own.

IREE's passes over a program walk again and again through all that its module holds, the code of the executables too,
though there is nothing in it for them: with our kernels, that is more than half of the time to compile. IREE can take
an executable from a file where it is about to compile it (`--iree-hal-substitute-executable-sources-from`). So the
program goes to IREE with stubs, and the code beside it; what comes out is the same. The code, which must be vectors,
loops and buffers, is marked as going to LLVM as it is.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from quantune_mlir.mlir.bindings import func, hal, ir, passmanager
from quantune_mlir.mlir.text import module_bytecode

VARIANT_PROBE: Final = """
hal.executable.source private @probe {
  hal.executable.export public @probe ordinal(0) layout(#hal.pipeline.layout<bindings = [
    #hal.pipeline.binding<storage_buffer>]>) count(%device: !hal.device) -> (index, index, index) {
    %one = arith.constant 1 : index
    hal.return %one, %one, %one : index, index, index
  }
  builtin.module {
    func.func @probe() {
      return
    }
  }
}
util.func public @main() -> tensor<1xf32> {
  %0 = flow.dispatch @probe::@probe() : () -> tensor<1xf32>
  util.return %0 : tensor<1xf32>
}
"""
"""A program with an executable, from which IREE shows what it makes executables for."""

_FILE_NAME: Final = re.compile(r"[\w$-]+")
_INLINE: Final = "builtin.module(hal.executable(hal.executable.variant(builtin.module(inline, symbol-dce))))"
"""What would have happened on the way: linking many executables needs the names of their helpers to be gone."""
_STUB: Final = "quantune.stub"
"""Tells a stub from others: IREE would take executables of the same code for the same."""

_TRANSLATION: Final = "translation_info"
TO_LLVM: Final = "#iree_codegen.translation_info<pipeline = #iree_codegen.no_pipeline>"
"""No pipeline: those that IREE would choose find nothing to tile or vectorize, in a sixth of the time to compile."""


@dataclass(frozen=True)
class ExecutableVariant:
    """The kind of machine code that IREE makes of executables for a target."""

    name: str
    target: ir.Attribute

    @classmethod
    def of(cls, compiled: ir.Module) -> ExecutableVariant:
        """That of a module which IREE compiled up to its executables' sources."""
        (executable,) = (op for op in compiled.body.operations if isinstance(op, hal.ExecutableOp))
        (variant,) = (op for op in inside(executable) if isinstance(op, hal.ExecutableVariantOp))
        return cls(variant.sym_name.value, variant.attributes["target"])


def brings_executables(module: ir.Module) -> bool:
    """Whether there is anything to move."""
    return any(can_move(op) for op in module.body.operations)


def move_executables(module: ir.Module, variant: ExecutableVariant, folder: Path) -> None:
    """Write the code of each executable to a file in `folder`, and leave stubs instead."""
    for source in list(module.body.operations):
        if can_move(source):
            (folder / f"{source.sym_name.value}.mlirbc").write_bytes(module_bytecode(executable_of(source, variant)))
            _empty(source)


def can_move(op: ir.OpView) -> bool:
    """Whether `op` is an executable that can be a file of its own."""
    return (
        isinstance(op, hal.ExecutableSourceOp)
        and "objects" not in op.attributes
        and _FILE_NAME.fullmatch(op.sym_name.value) is not None
        and all(len(entry.body.blocks) == 1 for entry in _entries(op))
    )


def executable_of(source: hal.ExecutableSourceOp, variant: ExecutableVariant) -> ir.Module:
    """A module with the executable that IREE makes of `source`."""
    to_llvm = ir.Attribute.parse(TO_LLVM, source.context)
    for entry in _entries(source):
        entry.attributes[_TRANSLATION] = to_llvm
    with source.location:
        module = ir.Module.create()
        with ir.InsertionPoint(module.body):
            executable = hal.ExecutableOp(source.sym_name, sym_visibility="private")
        with ir.InsertionPoint(executable.body.blocks.append()):
            inner = hal.ExecutableVariantOp(variant.name, variant.target, sym_visibility="public")
            hal.ExecutableEndOp()
        with ir.InsertionPoint(inner.body.blocks.append()):
            for op in inside(source):
                op.operation.clone()
            hal.ExecutableVariantEndOp()
        if _helpers(source):
            passmanager.PassManager.parse(_INLINE).run(module.operation)
    return module


def _empty(source: hal.ExecutableSourceOp) -> None:
    """Leave of the code only entry points that do nothing."""
    for helper in _helpers(source):
        helper.operation.erase()
    for entry in _entries(source):
        for op in reversed(inside(entry)):
            op.operation.erase()
        entry.attributes[_STUB] = source.sym_name


def _entries(source: hal.ExecutableSourceOp) -> list[func.FuncOp]:
    """The functions that a program dispatches."""
    exported = {op.sym_name.value for op in inside(source) if isinstance(op, hal.ExecutableExportOp)}
    return [op for op in code_of(source) if isinstance(op, func.FuncOp) and op.sym_name.value in exported]


def _helpers(source: hal.ExecutableSourceOp) -> list[ir.OpView]:
    """What the code has beside them."""
    entries = _entries(source)
    return [op for op in code_of(source) if op not in entries]


def code_of(source: hal.ExecutableSourceOp) -> list[ir.OpView]:
    """The operations of the module within."""
    (module,) = (op for op in inside(source) if op.operation.name == "builtin.module")
    return list(module.regions[0].blocks[0].operations)


def inside(op: ir.OpView) -> list[ir.OpView]:
    """The operations in the only block of `op`, without the one that ends it."""
    return list(op.regions[0].blocks[0].operations)[:-1]
