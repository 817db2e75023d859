"""How long a program lives."""

from __future__ import annotations

import gc
from collections.abc import Generator

import iree.runtime as iree_runtime
import numpy as np
import pytest

from quantune_mlir.execution.compiler import compile_bytes
from quantune_mlir.execution.program import Program
from quantune_mlir.execution.targets import load_target

DOUBLE = b"""
func.func @main(%a: tensor<4xf32>) -> tensor<4xf32> {
  %0 = arith.addf %a, %a : tensor<4xf32>
  return %0 : tensor<4xf32>
}
"""
ONES = np.ones(4, np.float32)


@pytest.fixture(scope="module")
def compiled() -> bytes:
    return compile_bytes(DOUBLE, load_target("host"))


@pytest.fixture
def no_collector() -> Generator[None]:
    gc.disable()
    yield
    gc.enable()


def contexts() -> int:
    return sum(isinstance(thing, iree_runtime.SystemContext) for thing in gc.get_objects())


@pytest.mark.usefixtures("no_collector")
def test_a_program_goes_with_its_last_user(compiled: bytes) -> None:
    program = Program(compiled)
    (doubled,) = program(ONES)
    bound = program.bound(ONES)
    before = contexts()
    del program
    bound()
    assert contexts() == before
    del bound
    assert contexts() == before - 1
    assert doubled.tolist() == [2.0] * 4
