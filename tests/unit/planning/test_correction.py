"""What is learnt of a plan that has more noise than was predicted."""

from __future__ import annotations

import math

import numpy as np

from quantune_mlir.numerics.formats import INT8
from quantune_mlir.planning.correction import TRUSTED, corrected
from quantune_mlir.planning.noise_model import NoiseModel

MODEL = NoiseModel(("a", "b"), {name: np.array([0.001, 0.002]) for name in ("front", "body", "tail")})
GROWN = {"front": np.array([0.05, 0.0]), "body": np.array([0.0001, 0.03])}


def own(model: NoiseModel, name: str) -> list[float]:
    return np.asarray(model.layers[name]).tolist()


def test_where_a_plan_has_more_noise_a_layer_brings_what_has_grown_of_its_error() -> None:
    found = corrected(MODEL, dict.fromkeys(("front", "body"), INT8), GROWN, np.array([0.05, 0.03]))
    assert own(found, "front") == [0.05, 0.002]
    assert own(found, "body") == [0.001, 0.03], "no less than was projected"
    assert own(found, "tail") == [0.001, 0.002], "it is not in the plan"


def test_a_part_that_was_foreseen_stays() -> None:
    found = corrected(MODEL, dict.fromkeys(("front", "body"), INT8), GROWN, np.array([0.05, TRUSTED * 0.004]))
    assert own(found, "front") == [0.05, 0.002] and own(found, "body") == [0.001, 0.002]


def test_a_part_that_was_not_measured_stays() -> None:
    found = corrected(MODEL, dict.fromkeys(("front", "body"), INT8), GROWN, np.array([math.nan, math.nan]))
    assert own(found, "front") == [0.001, 0.002] and own(found, "body") == [0.001, 0.002]
