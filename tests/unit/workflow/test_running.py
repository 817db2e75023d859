"""Programs over the samples of files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from quantune_mlir.backend.declaration import Declaration
from quantune_mlir.backend.program import Program
from quantune_mlir.errors import DataError
from quantune_mlir.mlir.bindings import ir, make_context
from quantune_mlir.workflow.running import run_over
from tests.support import compile_module

MODULE = """
func.func @main(%a: tensor<2x3xf32> {quantune.name = "left, right"}, %b: tensor<2x3xf32> {quantune.name = "b"})
    -> (tensor<2x3xf32> {quantune.name = "sum"}) {
  %y = tosa.add %a, %b : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
  return %y : tensor<2x3xf32>
}
"""


@pytest.fixture(scope="module")
def program() -> Program:
    return Program(compile_module(ir.Module.parse(MODULE, context=make_context())))


def test_a_program_says_what_it_takes(program: Program) -> None:
    declaration = program.declaration
    assert declaration is not None
    assert declaration.inputs == [("left, right", (2, 3), np.float32), ("b", (2, 3), np.float32)]
    assert declaration.outputs == [("sum", (2, 3), np.float32)]


@pytest.mark.parametrize("text", ["", "sync func @f(%a: !vm.ref<?>)", "sync func @f(%a: tensor<?xf32>) -> ()"])
def test_what_is_no_static_tensor_is_not_declared(text: str) -> None:
    assert Declaration.parse(text) is None


def test_many_samples_of_several_inputs_from_one_file(program: Program, tmp_path: Path) -> None:
    values = np.arange(24, dtype=np.float32).reshape(8, 3)
    np.savez(tmp_path / "x.npz", b=values, **{"left, right": 2 * values})
    np.testing.assert_array_equal(run_over(program, [tmp_path / "x.npz"])["sum"], 3 * values)


def test_arrays_in_order(program: Program, tmp_path: Path) -> None:
    values = np.arange(12, dtype=np.float32).reshape(4, 3)
    for name, factor in (("one", 1), ("ten", 10)):
        np.save(tmp_path / f"{name}.npy", factor * values)
    files = [tmp_path / "one.npy", tmp_path / "ten.npy"]
    np.testing.assert_array_equal(run_over(program, files)["sum"], 11 * values)
    with pytest.raises(DataError, match="takes 2 input"):
        run_over(program, files[:1])


def test_samples_left_over_are_refused(program: Program, tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.zeros((3, 3), np.float32))
    with pytest.raises(DataError, match="left over"):
        run_over(program, [tmp_path / "x.npy"] * 2)
