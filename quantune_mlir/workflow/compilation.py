"""From a TOSA module to a program with our kernels."""

from __future__ import annotations

from quantune_mlir import resources
from quantune_mlir.execution.compiler import compile_module
from quantune_mlir.execution.host_isa import host_isa
from quantune_mlir.execution.targets import Target
from quantune_mlir.ir.mlir import ir
from quantune_mlir.ir.text import module_bytecode, parse_module
from quantune_mlir.passes.driver import run_pipeline
from quantune_mlir.passes.parameters import fill_in

_PIPELINE = "kernels"


def compile_program(module: ir.Module, target: Target, *, kernels: bool = True) -> bytes:
    """The .vmfb of `module`, which stays as it is.

    Args:
        module: TOSA of any precision; observers lowered.
        target: what to compile for.
        kernels: compute with our kernels what they can compute; without, IREE compiles the TOSA as it is.

    Raises:
        CompileError: IREE refuses the module.
    """
    return compile_module(with_kernels(module, target) if kernels else module, target)


def with_kernels(module: ir.Module, target: Target) -> ir.Module:
    """A copy of `module` that dispatches kernels; `module` itself if the target names no instruction set."""
    isa = host_isa() if target.isa == "host" else target.isa
    if isa is None:
        return module
    copy = parse_module(module_bytecode(module), module.context)
    run_pipeline(copy, fill_in(resources.pipeline_text(_PIPELINE), {"isa": isa}, name=_PIPELINE))
    return copy
