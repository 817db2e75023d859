"""Executables compiled from files of their own are those of the module."""

from __future__ import annotations

import numpy as np
import pytest

from quantune_mlir.errors import CompileError
from quantune_mlir.execution.compiler import compile_bytes, compile_module
from quantune_mlir.execution.executable_sources import brings_executables
from quantune_mlir.execution.locations import give_places
from quantune_mlir.execution.program import Program
from quantune_mlir.execution.targets import load_target
from quantune_mlir.ir.mlir import ir, make_context
from quantune_mlir.ir.text import module_bytecode, parse_module

HOST = load_target("host")


def executable(name: str, operation: str, others: str = "") -> str:
    """An executable that changes four numbers by means of a helper of the same name in each."""
    return f"""
hal.executable.source private @{name} {{
  hal.executable.export public @{name} ordinal(0) layout(#layout) count(%d: !hal.device) -> (index, index, index) {{
    %one = arith.constant 1 : index
    hal.return %one, %one, %one : index, index, index
  }}
  builtin.module {{
    func.func private @changed(%x: vector<4xf32>) -> vector<4xf32> {{
      %y = arith.{operation} %x, %x : vector<4xf32>
      return %y : vector<4xf32>
    }}
    func.func @{name}() {{
      %zero = arith.constant 0 : index
      %in = hal.interface.binding.subspan layout(#layout) binding(0) alignment(64) offset(%zero) : memref<4xf32>
      %out = hal.interface.binding.subspan layout(#layout) binding(1) alignment(64) offset(%zero) : memref<4xf32>
      %x = vector.load %in[%zero] : memref<4xf32>, vector<4xf32>
      %y = func.call @changed(%x) : (vector<4xf32>) -> vector<4xf32>
      vector.store %y, %out[%zero] : memref<4xf32>, vector<4xf32>
      {others}
      return
    }}
  }}
}}
"""


def program(names: tuple[str, str], others: str = "") -> ir.Module:
    first, second = names
    return parse_module(
        f"""
#layout = #hal.pipeline.layout<bindings = [
  #hal.pipeline.binding<storage_buffer, ReadOnly>, #hal.pipeline.binding<storage_buffer>]>
{executable(first, "addf")}
{executable(second, "mulf", others)}
func.func @main(%x: tensor<4xf32>) -> tensor<4xf32> {{
  %0 = flow.dispatch @{first}::@{first}(%x) : (tensor<4xf32>) -> tensor<4xf32>
  %1 = flow.dispatch @{second}::@{second}(%0) : (tensor<4xf32>) -> tensor<4xf32>
  return %1 : tensor<4xf32>
}}
""",
        make_context(),
    )


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
    apart, whole = compile_module(module, HOST), compile_bytes(module_bytecode(module), HOST)
    assert len(apart) == len(whole)
    assert compile_module(module, HOST) == apart


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
