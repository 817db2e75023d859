from __future__ import annotations

import io
from dataclasses import dataclass
from typing import ClassVar

import pytest

from quantune_mlir.errors import DataError, PassError
from quantune_mlir.mlir.bindings import ir, make_context
from quantune_mlir.pipeline.base import Pass
from quantune_mlir.pipeline.driver import run_pipeline

SOURCE = """
func.func @main(%x: tensor<4xf32>) -> tensor<4xf32> {
  %0 = "tosa.abs"(%x) : (tensor<4xf32>) -> tensor<4xf32>
  return %0 : tensor<4xf32>
}
"""


@dataclass(frozen=True)
class Breaking(Pass):
    """Gives an op a result type that it cannot have."""

    name: ClassVar[str] = "quantune-breaking"

    def apply(self, module: ir.Module) -> None:
        op = module.body.operations[0].body.blocks[0].operations[0]
        op.operation.results[0].set_type(ir.Type.parse("tensor<5xf32>"))


@dataclass(frozen=True)
class Failing(Pass):
    """Raises."""

    name: ClassVar[str] = "quantune-failing"

    error: Exception

    def apply(self, module: ir.Module) -> None:
        raise self.error


@pytest.fixture
def module() -> ir.Module:
    return ir.Module.parse(SOURCE, make_context())


def test_the_pass_that_broke_the_module_is_named(module: ir.Module) -> None:
    with pytest.raises(PassError, match="does not verify after quantune-breaking"):
        run_pipeline(module, [Breaking()])


def test_without_verification_nobody_notices(module: ir.Module) -> None:
    run_pipeline(module, [Breaking()], verify_each=False)


def test_a_module_broken_before_is_not_blamed_on_a_pass(module: ir.Module) -> None:
    with module.context:
        Breaking().apply(module)
    with pytest.raises(PassError, match="does not verify before the first pass"):
        run_pipeline(module, "cse")


def test_an_unexpected_exception_propagates_unchanged_with_a_note(module: ir.Module) -> None:
    error = ZeroDivisionError("by nothing")
    with pytest.raises(ZeroDivisionError) as caught:
        run_pipeline(module, [Failing(error)])
    assert caught.value is error
    assert "quantune-failing" in error.__notes__[0]


def test_an_error_of_ours_says_which_pass_it_comes_from(module: ir.Module) -> None:
    with pytest.raises(DataError) as caught:
        run_pipeline(module, [Failing(DataError("too few samples", where="input"))])
    assert str(caught.value) == "quantune-failing: input: too few samples"


def test_upstream_neighbours_run_together_unless_each_is_printed(module: ir.Module) -> None:
    seen: list[str] = []
    pipeline = "cse,canonicalize,quantune-remove-dead-code,cse"
    run_pipeline(module, pipeline, on_pass=seen.append)
    assert seen == ["cse,canonicalize", "quantune-remove-dead-code", "cse"]
    stream = io.StringIO()
    run_pipeline(module, pipeline, print_after_all=True, stream=stream)
    assert [line.split()[4] for line in stream.getvalue().splitlines() if "IR after" in line] == pipeline.split(",")
