"""Compile and run a module: for the importer's tests only."""

from __future__ import annotations

import io
from typing import Any

import iree.compiler.tools as iree_compiler
import iree.runtime as iree_runtime
import numpy as np

from quantune_mlir.ir.mlir import ir

_FLAGS = ["--iree-llvmcpu-target-cpu=host", "--iree-opt-level=O2"]


def compile_module(module: ir.Module) -> bytes:
    """A program for this machine's CPU."""
    buffer = io.BytesIO()
    module.operation.write_bytecode(buffer)
    program = iree_compiler.compile_str(
        buffer.getvalue(), target_backends=["llvm-cpu"], input_type="tosa", extra_args=_FLAGS
    )
    assert isinstance(program, bytes)
    return program


def load_program(program: bytes) -> Any:
    """The bound module of a compiled program."""
    config = iree_runtime.Config("local-sync")
    return iree_runtime.load_vm_module(iree_runtime.VmModule.copy_buffer(config.vm_instance, program), config)


def run_module(module: ir.Module, *inputs: np.ndarray) -> list[np.ndarray]:
    """The results of `@main`."""
    return call(load_program(compile_module(module)), "main", inputs)


def call(program: Any, name: str, inputs: tuple[np.ndarray, ...]) -> list[np.ndarray]:
    """The results of one function of a loaded program."""
    results = program[name](*inputs)
    results = results if isinstance(results, tuple | list) else [results]
    return [np.array(r.to_host()) for r in results]
