"""Compile, load and call a module."""

from __future__ import annotations

from typing import Any

import iree.runtime as iree_runtime
import numpy as np

from quantune_mlir.backend import compiler
from quantune_mlir.hardware.targets import load_target
from quantune_mlir.mlir.bindings import ir


def compile_module(module: ir.Module) -> bytes:
    """A program for this machine's CPU."""
    return compiler.compile_module(module, load_target("host"))


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
