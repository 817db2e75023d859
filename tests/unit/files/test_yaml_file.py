"""YAML that is made to take all memory, or to be no value at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from quantune_mlir.errors import PlanError
from quantune_mlir.planning.plan import PrecisionPlan

LAUGHS = "\n".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9) if i else 'x'}]" for i in range(12))


@pytest.mark.parametrize(
    "text",
    [
        f"format: 1\n{LAUGHS}\n",
        "format: 1\nlayers: &x [*x]\n",
        "format: 1\nlayers: " + "[" * 200_000,
        "{" * 200_000,
        "- " * 200_000,
        "format: " + "1" * 5_000,
        "format: " + "1:" * 100_000 + "1",
        "format: 0x" + "f" * 100_000,
        "format: 2001-99-99",
        "format: 2001-01-01",
        "format: !!timestamp 2001-01-01",
        "format: !!python/object/apply:os.system [ls]",
        "format: !!int x",
        "format: !!bool x",
        "format: !!float x",
        "format: 1.0e999999",
        "? [1]\n: 2",
        "<<: 3",
        "%YAML 9.9\n--- 1",
        "--- 1\n--- 2",
        "format: 1\ndefault: int8\nlayers:\n- {name: x, precision: int8, precision: fp32}",
        "format: 1\ndefault: int8\ndefault: fp32",
        "\0",
        "x" * 100_000,
        "format: 1\nlayers:\n" + "- {name: x, precision: int9}\n" * 1000,
    ],
    ids=range(25),
)
def test_what_is_no_plan_is_refused(text: str) -> None:
    with pytest.raises(PlanError) as caught:
        PrecisionPlan.from_yaml(text, where="plan.yaml")
    assert str(caught.value).startswith("plan.yaml: ") and len(str(caught.value)) < 5000
    assert caught.value.remedy


def test_a_layer_may_be_called_like_a_date_or_a_number() -> None:
    plan = PrecisionPlan.from_yaml(
        "format: 1\nlayers:\n- {name: 2001-01-01, precision: int8}\n- {name: 12, precision: fp32}"
    )
    assert [layer.name for layer in plan.layers] == ["2001-01-01", "12"]
    assert PrecisionPlan.from_yaml(plan.to_yaml()) == plan


def test_a_large_file_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "plan.yaml").open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(PlanError, match="at most"):
        PrecisionPlan.load(tmp_path / "plan.yaml")
