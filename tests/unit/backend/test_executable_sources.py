"""Executables compiled from files of their own are those of the module."""

from __future__ import annotations

import numpy as np
import pytest

from quantune_mlir.backend.compiler import Source, compile_bytes, compile_module
from quantune_mlir.backend.executable_sources import brings_executables
from quantune_mlir.backend.locations import give_places
from quantune_mlir.backend.program import Program
from quantune_mlir.errors import CompileError
from quantune_mlir.hardware.targets import load_target
from quantune_mlir.mlir.bindings import ir, make_context
from quantune_mlir.mlir.edit import copy_module
from quantune_mlir.mlir.text import module_bytecode, parse_module
from tests.unit.backend.executables import program

HOST = load_target("host")


def run(module: ir.Module) -> np.ndarray:
    (y,) = Program(compile_module(module, HOST))(np.arange(4, dtype=np.float32))
    return y


def test_each_executable_keeps_its_own_code(capfd: pytest.CaptureFixture[str]) -> None:
    module = program(("twice", "squared"))
    before = str(module)
    np.testing.assert_array_equal(run(module), [0, 4, 16, 36])
    assert str(module) == before
    assert capfd.readouterr() == ("", ""), "what IREE says of each file is no news to a user"


def test_the_program_is_no_other() -> None:
    module = program(("twice", "squared"))
    give_places(module)
    apart, whole = (Source(copy_module(module), HOST, whole=True).compile() for _ in range(2))
    assert apart == whole
    assert len(apart) == len(compile_bytes(module_bytecode(module), HOST))


def test_names_that_are_no_file_names_stay() -> None:
    module = program(("twice", '"a/b"'))
    assert brings_executables(module)
    np.testing.assert_array_equal(run(module), [0, 4, 16, 36])


def test_a_module_without_executables_brings_none() -> None:
    assert not brings_executables(parse_module("func.func @main() { return }", make_context()))


def test_errors_in_the_code_are_told() -> None:
    with pytest.raises(CompileError, match=r"(?s)target host.*quantune\.unknown") as error:
        compile_module(program(("twice", "squared"), '"quantune.unknown"() : () -> ()'), HOST)
    assert "NOTE" not in str(error.value)
