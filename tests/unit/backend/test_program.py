"""How long a program lives, and what it takes."""

from __future__ import annotations

import gc
from collections.abc import Generator
from pathlib import Path

import iree.runtime as iree_runtime
import numpy as np
import pytest

from quantune_mlir.backend.compiler import compile_bytes
from quantune_mlir.backend.program import Program, in_pages
from quantune_mlir.errors import CompileError, DataError
from quantune_mlir.hardware.targets import load_target

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


@pytest.mark.parametrize("inputs", [(), (ONES, ONES), (np.ones(5, np.float32),), (np.ones(4),), (np.array(["a"]),)])
def test_inputs_that_do_not_fit_are_refused(compiled: bytes, inputs: tuple[np.ndarray, ...]) -> None:
    with pytest.raises(DataError, match="the program refuses its inputs"):
        Program(compiled)(*inputs)


def test_an_input_may_lie_in_memory_in_any_order(compiled: bytes) -> None:
    (doubled,) = Program(compiled)(np.arange(4, dtype=np.float32)[::-1])
    assert doubled.tolist() == [6.0, 4.0, 2.0, 0.0]


def test_a_function_that_is_not_there_is_named(compiled: bytes) -> None:
    with pytest.raises(CompileError, match="no function @other"):
        Program(compiled).call("other")


def test_a_program_runs_in_the_pages_that_hold_it(compiled: bytes, tmp_path: Path) -> None:
    (file := tmp_path / "double.vmfb").write_bytes(compiled)
    pages = in_pages(file)
    program = Program(pages)
    file.unlink()
    with pytest.raises(BufferError):
        pages.close()
    assert program(ONES)[0].tolist() == [2.0] * 4
    with pytest.raises(DataError):
        program(ONES.astype(np.int32))
    del program
    pages.close()


def test_pages_that_hold_no_program_are_refused(tmp_path: Path) -> None:
    (file := tmp_path / "none.vmfb").write_bytes(b"no program" * 1000)
    with pytest.raises(CompileError, match="cannot be loaded"):
        Program(in_pages(file))
