"""What is learnt of a plan that has more noise than was predicted."""

from __future__ import annotations

import math

import numpy as np
import pytest

from quantune_mlir.numerics.formats import INT8
from quantune_mlir.planning.correction import MOST, TRUSTED, corrected
from quantune_mlir.planning.noise_model import NoiseModel
from quantune_mlir.planning.sensitivity import RoundedTensor

MODEL = NoiseModel(("a", "b"), {name: np.array([0.001, 0.002]) for name in ("front", "body", "tail")})
GROWN = {"front": np.array([0.05, 0.0]), "body": np.array([0.0001, 0.03])}


def own(model: NoiseModel, name: str) -> list[float]:
    return np.asarray(model.layers[name]).tolist()


def test_where_a_plan_has_more_noise_a_layer_brings_what_has_grown_of_its_error() -> None:
    found = corrected(MODEL, dict.fromkeys(("front", "body"), INT8), GROWN, np.array([0.05, 0.03]))
    assert own(found, "front") == [0.05, 0.002]
    assert own(found, "body") == [0.001, 0.03], "no less than was projected"
    assert own(found, "tail") == [0.001, 0.002], "it is not in the plan"


def test_a_part_that_was_nearly_foreseen_has_as_much_more_of_everybody() -> None:
    found = corrected(MODEL, dict.fromkeys(("front", "body"), INT8), GROWN, np.array([0.05, TRUSTED * 0.004]))
    assert own(found, "front") == [0.05, 0.004] and own(found, "body") == [0.001, 0.004]
    assert own(found, "tail") == [0.001, 0.004]


def test_a_part_with_less_noise_stays() -> None:
    found = corrected(MODEL, dict.fromkeys(("front", "body"), INT8), GROWN, np.array([0.001, 0.001]))
    assert own(found, "front") == [0.001, 0.002] and own(found, "tail") == [0.001, 0.002]


def test_what_did_not_come_through_is_nobodys() -> None:
    found = corrected(MODEL, dict.fromkeys(("front", "body"), INT8), {}, np.array([0.002 * 2 * MOST, 0.004 * MOST]))
    assert own(found, "front") == [0.001, 0.002 * MOST]


def test_tensors_and_what_remains_scale_too() -> None:
    shared = RoundedTensor(layer="front", readers={"body": 0.5, "tail": 0.5}, noise=(0.01, 0.0), apart=(0.02, 0.0))
    model = NoiseModel(("a", "b"), MODEL.layers, [shared], constant=0.001)
    int8 = {"body": INT8, "tail": INT8}
    found = model.scaled(np.array([3.0, 1.0])).noise(int8)
    assert found == pytest.approx([3.0, 1.0] * model.noise(int8))


def test_a_part_that_was_not_measured_stays() -> None:
    found = corrected(MODEL, dict.fromkeys(("front", "body"), INT8), GROWN, np.array([math.nan, math.nan]))
    assert own(found, "front") == [0.001, 0.002] and own(found, "body") == [0.001, 0.002]
