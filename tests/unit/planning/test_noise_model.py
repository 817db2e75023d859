"""The noise of a plan: what its int8 layers bring, and what it rounds."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quantune_mlir.numerics.formats import INT8
from quantune_mlir.planning.noise_model import WORST, NoiseLedger, NoiseModel
from quantune_mlir.planning.sensitivity import RoundedTensor, SensitivityList
from tests.unit.planning.problems import layer


def tensor(readers: dict[str, float], *, maker: str | None = "stem", counted: bool = False) -> RoundedTensor:
    return RoundedTensor(layer="stem", maker=maker, counted=counted, readers=readers, noise=(0.4, 0.04))


OWN = {name: np.array([0.01, 0.1]) for name in ("stem", "left", "right")}
SHARED = NoiseModel(("a", "b"), OWN, [tensor({"left": 0.75, "right": 0.25})])


def brought(model: NoiseModel, *int8: str) -> float:
    """What rounding brings at the first part."""
    return float(model.noise(dict.fromkeys(int8, INT8))[0]) - 0.01 * len(int8)


def test_between_fp32_layers_nothing_is_rounded() -> None:
    assert SHARED.noise({}).tolist() == [0.0, 0.0]
    assert brought(SHARED, "stem") == pytest.approx(0.0), "it ends in fp32 where fp32 layers alone read it"


def test_a_tensor_of_fp32_is_rounded_for_those_that_read_it_in_int8() -> None:
    assert brought(SHARED, "left") == pytest.approx(0.3)
    assert brought(SHARED, "right") == pytest.approx(0.1)
    assert brought(SHARED, "left", "right") == pytest.approx(0.4)


def test_a_tensor_that_is_stored_in_int8_is_rounded_for_all() -> None:
    assert brought(SHARED, "stem", "right") == pytest.approx(0.4)
    assert brought(SHARED, "stem", "left", "right") == pytest.approx(0.4)


def test_what_readers_have_in_common_adds_up_or_cancels() -> None:
    """One error through two paths of the same gain: doubled, or gone."""
    readers = {"left": 0.5, "right": 0.5}

    def through(whole: float) -> NoiseModel:
        shared = RoundedTensor(layer="stem", readers=readers, noise=(whole, 0.0), apart=(0.2, 0.0))
        return NoiseModel(("a", "b"), OWN, [shared])

    for whole in (0.0, 0.2, 0.4):
        assert brought(through(whole), "left") == pytest.approx(0.1)
        assert brought(through(whole), "left", "right") == pytest.approx(whole)


def test_of_many_readers_each_pair_has_as_much_in_common() -> None:
    names = ("left", "right", "third")
    shared = RoundedTensor(layer="stem", readers=dict.fromkeys(names, 1 / 3), noise=(0.9, 0.0), apart=(0.3, 0.0))
    model = NoiseModel(("a", "b"), {name: np.zeros(2) for name in names}, [shared])
    found = [float(model.noise(dict.fromkeys(names[:count], INT8))[0]) for count in range(4)]
    assert found == pytest.approx([0.0, 0.1, 0.4, 0.9]), "amplitudes of .1 ** .5 each, all alike"


def test_the_result_of_a_table_is_rounded_once() -> None:
    table = NoiseModel(("a", "b"), OWN, [tensor({"left": 1.0}, counted=True)])
    assert brought(table, "stem", "left") == brought(table, "stem") == pytest.approx(0.0)
    assert brought(table, "left") == pytest.approx(0.4)


def test_a_function_is_a_table_where_its_argument_is_int8_too() -> None:
    shared = RoundedTensor(layer="stem", maker="stem", argument="left", readers={"right": 1.0}, noise=(0.4, 0.04))
    function = NoiseModel(("a", "b"), OWN, [shared])
    assert brought(function, "stem") == brought(function, "left") == pytest.approx(0.0)
    assert brought(function, "stem", "left") == pytest.approx(0.4), "who ever reads it"
    assert brought(function, "right") == brought(function, "stem", "right") == pytest.approx(0.4)
    assert function.brought_by("stem")[0] == pytest.approx(0.41)


def test_the_worst_part_counts() -> None:
    assert NoiseLedger(SHARED, {"stem": INT8}).worst == pytest.approx(0.1)
    assert SHARED.sqnr_db(["stem"]) == pytest.approx(10.0)
    assert SHARED.sqnr_db([]) == math.inf
    assert SHARED.weight("left") == pytest.approx(0.01 + 0.75 * 0.4)


@given(st.permutations(["stem", "left", "right"]))
def test_the_way_to_a_plan_does_not_matter(order: list[str]) -> None:
    ledger = NoiseLedger(SHARED, dict.fromkeys(order, INT8))
    for taken, name in enumerate(order, start=1):
        ledger.move(name)
        assert ledger.parts.tolist() == SHARED.noise(dict.fromkeys(order[taken:], INT8)).tolist()


def test_what_is_not_known_is_the_worst() -> None:
    unknown = NoiseModel.additive([layer(0, math.inf), layer(1, 0.1)])
    assert unknown.noise({"layer0": INT8})[0] == WORST
    assert unknown.noise({"layer1": INT8})[0] == pytest.approx(0.1)


def test_a_list_of_an_older_format_adds_a_constant() -> None:
    text = SensitivityList.of([layer(0, 0.5)], rounding=0.25, model="m", samples=1).to_yaml()
    older = (
        text.replace("format: 2", "format: 1").replace("parts: []\nrounded: []\n", "").replace("  own_noise: []\n", "")
    )
    assert "own_noise" not in older and "rounded" not in older
    model = NoiseModel.of(SensitivityList.from_yaml(older))
    assert model.noise({"layer0": INT8})[0] == 0.75 and model.noise({})[0] == 0.25


def test_a_reader_without_a_share_is_no_reason_to_round() -> None:
    idle = NoiseModel(("a", "b"), OWN, [tensor({"left": 0.0, "right": 1.0})])
    assert brought(idle, "left", "right") == brought(idle, "right") == pytest.approx(0.4)
    assert brought(idle, "stem", "left") == pytest.approx(0.0)


@given(st.floats(1e-9, 1e4), st.floats(1e-3, 1e3))
def test_noise_that_is_small_beside_what_halves_it_adds_up(noise: float, halved_at: float) -> None:
    model = NoiseModel(("a",), {"stem": np.array([noise])}, halved_at=np.array([halved_at]))
    (found,) = model.noise({"stem": INT8})
    assert found == pytest.approx(noise / (1 + math.sqrt(noise / halved_at)), rel=1e-6)
    assert model.adds_up(np.array([found])) == pytest.approx([noise], rel=1e-6)


def test_what_halves_noise_is_of_one_part_and_scales_to_what_comes_out() -> None:
    model = NoiseModel(("a", "b"), {"stem": np.array([0.2, 0.2])}, halved_at=np.array([0.2, math.inf]))
    assert model.noise({"stem": INT8}) == pytest.approx([0.1, 0.2])
    scaled = model.scaled_to({"stem": INT8}, np.array([3.0, 3.0]))
    assert scaled.noise({"stem": INT8}) == pytest.approx([0.3, 0.6])
    assert scaled.layers["stem"][0] > 3 * 0.2, "more has to add up for three times as much to come out"
