"""What a group's kernel is called with does not depend on whether an equal group came before it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from quantune_mlir.mlir.bindings import ir, make_context
from quantune_mlir.mlir.text import parse_module
from quantune_mlir.passes.kernels.repeated_groups import RepeatedGroups
from quantune_mlir.pipeline.driver import run_named_pipeline

FUNCTION = """
func.func @{name}(%x: tensor<1x6x6x16xf32>, %y: tensor<1x6x6x{channels}xf32>) -> tensor<1x6x6x{channels}xf32> {{
  %w = "tosa.const"() <{{values = dense<{weight}> : tensor<{channels}x1x1x16xf32>}}>
      : () -> tensor<{channels}x1x1x16xf32>
  %b = "tosa.const"() <{{values = dense<0.5> : tensor<{channels}xf32>}}> : () -> tensor<{channels}xf32>
  %z = "tosa.const"() <{{values = dense<0.0> : tensor<1xf32>}}> : () -> tensor<1xf32>
  %c = "tosa.conv2d"(%x, %w, %b, %z, %z) {{pad = array<i64: 0, 0, 0, 0>, stride = array<i64: 1, 1>,
      dilation = array<i64: 1, 1>, acc_type = f32}} : (tensor<1x6x6x16xf32>,
      tensor<{channels}x1x1x16xf32>, tensor<{channels}xf32>, tensor<1xf32>, tensor<1xf32>)
      -> tensor<1x6x6x{channels}xf32>
  %d = "tosa.clamp"(%c) {{min_val = 0.0 : f32, max_val = {most} : f32}} : (tensor<1x6x6x{channels}xf32>)
      -> tensor<1x6x6x{channels}xf32>
  %e = tosa.add %d, %y : (tensor<1x6x6x{channels}xf32>, tensor<1x6x6x{channels}xf32>) -> tensor<1x6x6x{channels}xf32>
  return %e : tensor<1x6x6x{channels}xf32>
}}
"""


def lowered(*functions: dict[str, object]) -> ir.Module:
    """Functions that differ from one another in what is given."""
    like = {"channels": 32, "weight": "1.5", "most": "6.0"}
    texts = [FUNCTION.format(name=f"f{i}", **{**like, **given}) for i, given in enumerate(functions)]
    module = parse_module("\n".join(texts), make_context())
    run_named_pipeline(module, "kernels", {"isa": "avx512vnni", "tiles": None, "target": None})
    return module


def computed(module: ir.Module) -> list[object]:
    """What each function returns, as what it is computed from."""
    functions = [op for op in module.body.operations if op.operation.name == "func.func"]
    return [told(list(function.regions[0].blocks[0].operations)[-1].operands[0]) for function in functions]


def told(value: ir.Value) -> object:
    if isinstance(value, ir.BlockArgument):
        return value.arg_number
    op = value.owner
    attributes = sorted((name, str(op.attributes[name])) for name in op.attributes)
    return op.name, attributes, str(value.type), [told(operand) for operand in op.operands]


def test_the_program_is_what_it_would_be_if_each_group_was_lowered(monkeypatch: pytest.MonkeyPatch) -> None:
    variants: list[dict[str, object]] = [{}, {"weight": "2.5"}, {}, {"most": "3.0"}, {"channels": 16}, {}]
    remembered = computed(lowered(*variants))

    def anew(self: RepeatedGroups, group: ir.Operation, lower: Callable[[], ir.Value | None]) -> ir.Value | None:
        return lower()

    monkeypatch.setattr(RepeatedGroups, "lowered", anew)
    assert remembered == computed(lowered(*variants))


def test_only_equal_groups_are_lowered_once(monkeypatch: pytest.MonkeyPatch) -> None:
    count = 0
    lower_or_repeat = RepeatedGroups.lowered

    def counted(self: RepeatedGroups, group: ir.Operation, lower: Callable[[], ir.Value | None]) -> ir.Value | None:
        def counting() -> ir.Value | None:
            nonlocal count
            count += 1
            return lower()

        return lower_or_repeat(self, group, counting)

    monkeypatch.setattr(RepeatedGroups, "lowered", counted)
    lowered({})
    alone, count = count, 0
    lowered({}, {"weight": "2.5"}, {}, {"most": "3.0"})
    assert alone and count == 3 * alone
