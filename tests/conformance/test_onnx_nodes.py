"""ONNX's own node tests, compiled by IREE. node_cases.py says which; expected_failures.yaml which fail, and why."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pytest
import yaml

from quantune_mlir.errors import QuantuneError
from quantune_mlir.importers.onnx import import_onnx
from quantune_mlir.importers.onnx.handlers import operator_types
from quantune_mlir.mlir.bindings import make_context
from tests.conformance.node_cases import OPERATORS, NodeCase, node_cases
from tests.onnx_models import combine
from tests.support import call, compile_module, load_program

pytestmark = pytest.mark.conformance

_TOGETHER = 40
_CONTEXT = make_context()
EXPECTED_FAILURES = yaml.safe_load((Path(__file__).parent / "expected_failures.yaml").read_text())


@cache
def _outcomes(batch: int) -> dict[str, list[np.ndarray] | Exception]:
    """Results or error of each case of one batch, which is compiled as one module."""
    outcomes: dict[str, list[np.ndarray] | Exception] = {}
    imported = []
    for case in node_cases()[batch * _TOGETHER : (batch + 1) * _TOGETHER]:
        try:
            imported.append((case, import_onnx(case.model, context=_CONTEXT)))
        except QuantuneError as error:
            outcomes[case.name] = error
    program = load_program(compile_module(combine([module for _, module in imported], _CONTEXT)))
    for index, (case, _) in enumerate(imported):
        outcomes[case.name] = call(program, f"f{index}", case.inputs)
    return outcomes


def _parameters() -> list[object]:
    def mark(case: NodeCase) -> list[pytest.MarkDecorator]:
        reason = EXPECTED_FAILURES.get(case.name)
        return [pytest.mark.xfail(reason=reason, strict=True, raises=(QuantuneError, AssertionError))] if reason else []

    return [
        pytest.param(case, index // _TOGETHER, id=case.name, marks=mark(case))
        for index, case in enumerate(node_cases())
    ]


@pytest.mark.parametrize(("case", "batch"), _parameters())
def test_node(case: NodeCase, batch: int) -> None:
    outcome = _outcomes(batch)[case.name]
    if isinstance(outcome, Exception):
        raise outcome
    for got, wanted in zip(outcome, case.outputs, strict=True):
        assert got.shape == wanted.shape
        if wanted.dtype.kind == "u":  # MLIR's integers are signless: the same bits come back
            got = got.view(wanted.dtype)
        assert got.dtype == wanted.dtype
        np.testing.assert_allclose(got, wanted, rtol=case.rtol, atol=max(case.atol, _rounding(wanted)))


def _rounding(wanted: np.ndarray) -> float:
    """That of the largest number: sums of which it is one have errors as large."""
    if wanted.dtype.kind != "f":
        return 0.0
    return float(np.finfo(wanted.dtype).eps * np.abs(wanted[np.isfinite(wanted)]).max(initial=0.0))


def test_at_least_95_percent_pass() -> None:
    assert len(node_cases()) >= 500
    assert len(EXPECTED_FAILURES) <= 0.05 * len(node_cases())


def test_expected_failures_are_selected() -> None:
    assert set(EXPECTED_FAILURES) <= {case.name for case in node_cases()}


OF_QUANTIZED_MODELS = {"QuantizeLinear", "DequantizeLinear"}
"""Imported on request only; tests/unit/importers/test_quantized.py compares whole models of them with ONNX Runtime."""


def test_every_imported_operator_is_tested() -> None:
    assert set(operator_types()) <= OPERATORS | OF_QUANTIZED_MODELS
