"""Every kind of unit in int8 computes what the definitions say, in both requantize modes, and stays close to fp32."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, get_args

import numpy as np
import pytest

from quantune_mlir.graph.epilogues import ACCUMULATING
from quantune_mlir.graph.units import Kind
from quantune_mlir.integer.integer_options import RequantizeMode
from quantune_mlir.mlir.bindings import make_context
from quantune_mlir.numerics.parameters import quantize
from tests.onnx_models import combine, reference
from tests.support import call, compile_module, load_program
from tests.unit.integer.cases import ALL, Case
from tests.unit.integer.networks import CalibratedNetwork

MODES: tuple[RequantizeMode, ...] = get_args(RequantizeMode)
REQUANTIZED = ACCUMULATING | {Kind.CLAMP}
"""Kinds for which the requantize mode makes a difference."""


def is_built(case: Case, mode: RequantizeMode, *, read_in_int8: bool) -> bool:
    if read_in_int8:
        return mode == "integer" or case.kind in REQUANTIZED
    return mode == "integer" and case.kind in ACCUMULATING


@dataclass(frozen=True)
class Outcome:
    """What IREE and NumPy make of one case."""

    network: CalibratedNetwork
    actual: np.ndarray
    in_int8: set[Any]


@pytest.fixture(scope="module")
def outcomes() -> dict[tuple[str, str, bool], Outcome]:
    """All cases by name, requantize mode and whether the result is read in int8, run by one program."""
    context = make_context()
    networks = {
        (name, mode, read_in_int8): CalibratedNetwork(
            case.model(read_in_int8=read_in_int8), case.inputs, replace(case.options, requantize=mode), context
        )
        for name, case in ALL.items()
        for mode in MODES
        for read_in_int8 in (True, False)
        if is_built(case, mode, read_in_int8=read_in_int8)
    }
    in_int8 = {key: network.in_int8(moves=key[2]) for key, network in networks.items()}
    modules = [network.quantized(in_int8[key]) for key, network in networks.items()]
    program = load_program(compile_module(combine(modules, context)))
    return {
        key: Outcome(network, call(program, f"f{i}", tuple(network.inputs.values()))[0], in_int8[key])
        for i, (key, network) in enumerate(networks.items())
    }


@pytest.mark.parametrize("name", ALL)
def test_the_kind_of_unit_is_the_one_meant(outcomes, name) -> None:
    outcome = outcomes[name, "integer", True]
    assert ALL[name].kind in {unit.kind for unit in outcome.network.units if unit.layer == "node"}
    assert all(unit.output in outcome.in_int8 for unit in outcome.network.units)


@pytest.mark.parametrize("name", ALL)
def test_integer_mode_is_exact(outcomes, name) -> None:
    outcome = outcomes[name, "integer", True]
    reference = outcome.network.reference(outcome.in_int8)
    (result,) = outcome.network.results
    expected = reference.as_int8(result)
    np.testing.assert_array_equal(outcome.actual, expected.real)
    assert np.unique(expected.values).size > min(4, expected.values.size // 2), "a constant result would prove nothing"


@pytest.mark.parametrize("name", [name for name, case in ALL.items() if case.kind in ACCUMULATING])
def test_an_end_in_fp32_is_the_accumulator_times_its_scale(outcomes, name) -> None:
    outcome = outcomes[name, "integer", False]
    reference = outcome.network.reference(outcome.in_int8)
    (result,) = outcome.network.results
    expected = reference.as_fp32(result)
    assert expected.shape == outcome.actual.shape
    np.testing.assert_array_equal(outcome.actual, expected)


def test_float_mode_differs_by_one_step_in_a_thousandth_at_most(outcomes) -> None:
    differences = {}
    for name in (name for name, case in ALL.items() if case.kind in REQUANTIZED):
        outcome = outcomes[name, "float", True]
        reference = outcome.network.reference(outcome.in_int8)
        (result,) = outcome.network.results
        expected = reference.as_int8(result)
        actual = quantize(outcome.actual, expected.params)
        differences[name] = np.abs(actual.astype(int) - expected.values).ravel()
    together = np.concatenate(list(differences.values()))
    assert together.max() <= 1
    assert np.count_nonzero(together) <= together.size / 1000


@pytest.mark.parametrize(
    ("name", "mode"), [(n, m) for n, case in ALL.items() for m in MODES if is_built(case, m, read_in_int8=True)]
)
def test_no_unit_errs_by_more_than_half_a_step(name, mode, outcomes) -> None:
    """The error of the reference's units against exact arithmetic on their own quantized inputs."""
    outcome = outcomes[name, mode, True]
    reference = outcome.network.reference(outcome.in_int8)
    folded = {clamp.output for clamp in reference.epilogues.clamps.values()}
    for unit in outcome.network.units:
        last = reference.epilogues.clamps.get(unit.output, unit)
        if unit.output in folded or last.output not in reference.int8:
            continue
        made = reference.int8[last.output]
        exact = reference.real_result(unit)
        representable = np.clip(exact, made.params.lo, made.params.hi)
        error = np.abs(made.real - representable) / made.params.scale
        slack = 1e-3 if unit.kind is not Kind.BINARY else 5e-3
        assert np.nanmax(error) <= 0.5 + slack, (unit.kind, np.nanmax(error))


@pytest.mark.parametrize("name", ALL)
def test_it_is_close_to_onnxruntime_on_values_in_range(outcomes, name) -> None:
    case = ALL[name]
    for mode, read_in_int8 in ((m, r) for n, m, r in outcomes if n == name):
        outcome = outcomes[name, mode, read_in_int8]
        network = outcome.network
        ranges = list(network.params.values())[: len(case.inputs)]
        inputs = {n: np.clip(a, p.lo, p.hi) for (n, a), p in zip(case.inputs.items(), ranges, strict=True)}
        (expected,) = reference(network.model, inputs)
        if read_in_int8:
            range_ = network.params[network.results[0]]
            expected = np.clip(expected, range_.lo, range_.hi)
        sqnr_db = 10 * np.log10(np.sum(expected**2) / np.sum((outcome.actual - expected) ** 2))
        assert sqnr_db > case.sqnr_db, (mode, read_in_int8)
