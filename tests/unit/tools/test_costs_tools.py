"""The tools that check costs and growth: what they compute, not what they measure."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest

from quantune_mlir.hardware.targets import throughput_of
from quantune_mlir.hardware.throughput import Work
from quantune_mlir.model import Model
from tools import linearity
from tools.cost_check import Row, fit, markdown
from tools.linearity import synthetic_network

DENSE = Work("dense", "int8", 10**6, 1000, 20_000)
DEPTHWISE = Work("depthwise", "fp32", 10**5, 1000, 20_000)


def rows(*pairs: tuple[Work, float], program: str = "int8") -> list[Row]:
    """Groups that take a quarter of a nanosecond a cycle, times a factor."""
    cycles = [throughput_of("avx2").cycles(work) for work, _ in pairs]
    return [
        Row("avx2", "net", program, work, factor * each * 0.25e-3, each)
        for (work, factor), each in zip(pairs, cycles, strict=True)
    ]


def test_a_perfect_model_is_off_by_nothing() -> None:
    found = fit(rows((DENSE, 1.0)) + rows((DEPTHWISE, 1.0), program="fp32"))
    assert found.nanoseconds == pytest.approx(0.25)
    assert (found.factor, found.speedup_factor, found.groups) == (pytest.approx(1), pytest.approx(1), 2)


def test_the_fit_tells_how_far_the_model_is_off() -> None:
    found = fit(rows((DENSE, 2.0)) + rows((DEPTHWISE, 0.5), program="fp32"))
    assert found.nanoseconds == pytest.approx(0.25)
    assert found.factor == pytest.approx(2) and found.speedup_factor == pytest.approx(4)


def test_groups_that_recur_count_once() -> None:
    assert fit(rows((DENSE, 1.0), (DENSE, 1.0)) + rows((DEPTHWISE, 1.0), program="fp32")).groups == 2


def test_tables_name_every_instruction_set_and_network() -> None:
    text = markdown(rows((DENSE, 1.0)) + rows((DEPTHWISE, 1.0), program="fp32"))
    assert "| avx2 | 2 | 0.25 | 1.00x | 1.00x |" in text and "| net | " in text


@pytest.mark.parametrize("layers", [3, 30])
def test_synthetic_networks_have_as_many_layers_as_asked_for(tmp_path: Path, layers: int) -> None:
    path = tmp_path / "synthetic.onnx"
    onnx.save(synthetic_network(layers), path)
    assert sum(layer.decides for layer in Model.load(path).layers) == layers


def test_growth_is_given_by_layer() -> None:
    row = linearity.Row(layers=10, import_s=0.01, compile_s=1.0, run_s=0.05, plan_s=0.02, peak_kib=1000)
    assert linearity.markdown([row]).endswith("| 10 | 1.00 ms | 100.00 ms | 5.00 ms | 2.00 ms | 100 KiB |\n")
