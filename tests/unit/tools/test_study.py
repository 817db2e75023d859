"""The study's instruments: any plan at once is the plan rewritten; ranks, orders and areas."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from quantune_mlir.backend.compilation import compile_program
from quantune_mlir.backend.program import Program
from quantune_mlir.hardware.targets import load_target
from quantune_mlir.integer.integer_options import Granularity
from quantune_mlir.model import Model
from quantune_mlir.numerics.formats import FP32, INT8
from quantune_mlir.planning.plan import LayerPlan, PrecisionPlan
from quantune_mlir.samples.sample_set import SampleSet
from quantune_mlir.sensitivity.calibration import Calibrator
from quantune_mlir.workflow.options import QuantizeOptions
from quantune_mlir.workflow.rewriting import PlanRewriter
from tools.study import budgets, orders
from tools.study.correlation import kendall, ranks, spearman
from tools.study.correlation_tables import area
from tools.study.fronts import DEFAULT, front_table
from tools.study.plan_tables import budget_table, noise_table
from tools.study.switchable import SwitchableModel

DATA = Path(__file__).parents[2] / "data"
SAMPLES = 8


@pytest.mark.slow
@pytest.mark.parametrize("granularity", ["per-channel", "per-tensor"])
def test_any_plan_is_the_plan_rewritten(granularity: Granularity) -> None:
    model = Model.load(DATA / "digits.onnx")
    samples = SampleSet.open(DATA / "digits_calibration.npz", model.inputs, count=SAMPLES)
    profile = Calibrator(model, load_target("host")).run(samples)
    options = QuantizeOptions(weights=granularity)
    switchable = SwitchableModel(model, profile, options)
    draw = np.random.default_rng(1)
    plans = [[name for name in switchable.names if draw.random() < share] for share in (0.0, 0.3, 0.7, 1.1)]
    found = list(switchable.run([switchable.plan(int8) for int8 in plans], samples))
    for i, int8 in enumerate(plans):
        layers = tuple(
            LayerPlan(name=layer.name, precision=INT8 if layer.name in int8 else FP32)
            for layer in model.layers
            if layer.decides or not layer.quantizable
        )
        mixed = PlanRewriter(model, profile, options).rewrite(PrecisionPlan(format=1, layers=layers))
        program = Program(compile_program(mixed.module, load_target("host")))
        expected = np.concatenate([program(*run)[0].reshape(-1) for run in samples])
        outputs = np.concatenate([_as_returned(of_sample[i], expected) for of_sample in found])
        assert np.linalg.norm(outputs - expected) <= 1e-4 * np.linalg.norm(expected)


def _as_returned(logits: np.ndarray, returned: np.ndarray) -> np.ndarray:
    """Through the softmax, if the network closes with one."""
    if not math.isclose(float(returned.sum()), SAMPLES, rel_tol=1e-3):
        return logits
    powers = np.exp(logits - logits.max())
    return powers / powers.sum()


def test_ties_share_a_rank_and_infinities_have_one() -> None:
    assert ranks([2.0, -np.inf, 2.0, np.inf]).tolist() == [1.5, 0.0, 1.5, 3.0]


def test_correlations_of_ranks() -> None:
    a, b = [1.0, 2.0, 3.0, 4.0, 5.0], [1.0, 3.0, 2.0, 5.0, 4.0]
    assert spearman(a, b) == pytest.approx(1 - 6 * 4 / (5 * 24))
    assert kendall(a, b) == pytest.approx((8 - 2) / 10)
    assert spearman(a, [-x for x in a]) == kendall(a, [-x for x in a]) == -1
    assert spearman(a, [1.0] * 5) == kendall(a, [1.0] * 5) == 0
    assert kendall([1.0, 1.0, 2.0], [1.0, 2.0, 3.0]) == pytest.approx(2 / math.sqrt(6))


def test_first_and_last_alternate() -> None:
    assert orders.first_and_last("abcde") == list("aebdc")
    assert orders.first_and_last("abcd") == list("adbc")


def test_random_orders_are_repeatable() -> None:
    names = list("abcdefgh")
    assert orders.random_order(names, 3) == orders.random_order(names, 3) != orders.random_order(names, 4)
    assert sorted(orders.random_order(names, 3)) == names


def test_greedy_takes_what_helps_most_at_each_step() -> None:
    """Two layers that only help together come after one that helps by itself."""

    def noise(candidates: Sequence[Sequence[str]]) -> list[float]:
        return [4.0 * ("a" in int8 or "b" in int8) + ("c" in int8) for int8 in candidates]

    assert orders.greedy(["a", "b", "c"], noise) == ["c", "a", "b"]


def test_area_leaves_out_the_last_point_where_nothing_is_int8() -> None:
    assert area([1e-1, 1e-2, 1e-3, 0.0]) == pytest.approx((10 + 20) / 2 + (20 + 30) / 2)
    assert area([10.0, 1.0, 0.0]) == 0


def test_a_front_tells_what_each_plan_wins_and_loses() -> None:
    plan = {"plan": "0", "fp32_layers": 2, "int8_macs": 0.914, "time": 0.5, "noise": 0.01, "won": 1, "lost": 3}
    exact = {"plan": "1", "fp32_layers": 9, "int8_macs": 0.0, "time": 1.0, "noise": 0.0, "won": 0, "lost": 0}
    front = [plan, plan | {"plan": DEFAULT}, exact]
    found = {"network": "n", "granularity": "per-tensor", "validation_samples": 400, "top1": 0.75, "front": front}
    title, _, table = front_table(found)
    assert title == "n, per-tensor, fp32 0.750 of 400:"
    assert table.splitlines()[2:] == [
        "| 2 | 91 % | 0.50 | 20.0 | 1 | 3 | 0.50 |",
        "| **2** | **91 %** | **0.50** | **20.0** | **1** | **3** | **0.50** |",
        "| 9 | 0 % | 1.00 | exact | 0 | 0 | 0.00 |",
    ]


def test_the_greedy_budget_buys_the_cheapest_noise_and_gives_back_what_is_not_needed() -> None:
    noise = {"cheap": 4e-3, "dear": 8e-3, "quiet": 1e-3, "silent": 0.0}
    macs = {"cheap": 100, "dear": 1000, "quiet": 1, "silent": 500}

    def meter(plans: Sequence[Sequence[str]]) -> list[np.ndarray]:
        return [np.array([0.0, sum(noise[name] for name in int8)]) for int8 in plans]

    assert budgets.greedy(list(noise), macs, meter, 18.0) == list(noise)
    assert budgets.greedy(list(noise), macs, meter, 20.0) == ["dear", "quiet", "silent"]
    assert budgets.greedy(list(noise), macs, meter, 25.0) == ["quiet", "silent"]
    assert budgets.greedy(list(noise), macs, meter, 60.0) == ["silent"]


def test_errors_of_prediction_are_counted_where_there_is_noise() -> None:
    plans = [{"predicted": 1e-2, "measured": 1e-2}, {"predicted": 0.3, "measured": 3.0}]
    layers = [{"predicted": 1.0, "measured": 2.0}, {"predicted": 3.0, "measured": 4.0}]
    silent = {"predicted": 0.0, "measured": 0.0}
    found = {"network": "n", "granularity": "per-tensor", "parts": ["y"], "layers": layers, "plans": [*plans, silent]}
    (text,) = noise_table([found])
    cells = "| 2 | 50 % | 50 % | 1 | 100 % | 100 % | +0.5 | +5.0 | +9.5 | +10.0 |"
    assert text.splitlines()[2:] == [f"| n, per-tensor | 1 | 2 | 1.00 {cells}", f"| all |  |  |  {cells}"]


def test_a_budget_is_shown_beside_what_a_search_finds() -> None:
    ours = {"measured": 31.2, "fp32_macs": 10, "time": 0.5, "db": 31.0, "others_db": 30.9}
    searched = {"greedy_fp32_macs": 8, "greedy_time": 0.6, "greedy_db": 30.1, "greedy_others_db": None}
    row = {"wanted": 30.0, **ours, **searched}
    refused = {"wanted": 40.0, "refused": "no plan"}
    found = {"network": "n", "granularity": "per-tensor", "macs": 100, "budgets": [row, refused]}
    (text,) = budget_table([found])
    assert text.splitlines()[2:] == [
        "| n, per-tensor | 30 dB | 31.2 dB | 10.0 % | 0.50 | 30.9 dB | 30.1 dB | 8.0 % | 0.60 | no noise |",
        "| n, per-tensor | 40 dB | refused |  |  |  |  |  |  |  |",
    ]
