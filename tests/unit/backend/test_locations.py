"""The same module gives the same program, also where IREE makes dispatches of ops that stand in no file."""

from __future__ import annotations

import pytest

from quantune_mlir.backend.compiler import compile_module
from quantune_mlir.backend.locations import give_places
from quantune_mlir.errors import CompileError
from quantune_mlir.hardware.targets import load_target
from quantune_mlir.mlir.bindings import ir, make_context
from quantune_mlir.mlir.function import main_function
from quantune_mlir.mlir.text import module_bytecode, parse_module

NAMED = 'loc("layer")'


def module(op: str = "tosa.exp") -> ir.Module:
    text = f"""
func.func @main(%x: tensor<8x8xf32>) -> tensor<8x1xf32> {{
  %0 = "{op}"(%x) : (tensor<8x8xf32>) -> tensor<8x8xf32> {NAMED}
  %1 = "tosa.reduce_sum"(%0) {{axis = 1 : i32}} : (tensor<8x8xf32>) -> tensor<8x1xf32> loc(unknown)
  return %1 : tensor<8x1xf32> loc(unknown)
}} loc(unknown)
"""
    return parse_module(module_bytecode(parse_module(text, make_context())), make_context())


@pytest.mark.parametrize("target", ["cortex-m4", "vmvx", "x86-64"])
def test_programs_of_ops_without_a_file_are_equal(target: str) -> None:
    programs = {compile_module(module(), load_target(target)) for _ in range(3)}
    assert len(programs) == 1


def test_layers_keep_their_names() -> None:
    placed = module()
    give_places(placed)
    assert '"layer"' in str(main_function(placed).regions[0].blocks[0].operations[0].location)


def test_a_crash_of_iree_is_told_in_one_line() -> None:
    with pytest.raises(CompileError, match=r"iree-compile crashed \(SIG\w+\)$"):
        compile_module(module("unknown.op"), load_target("x86-64"))
