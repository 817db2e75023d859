"""One quantization finds the facts of a network once for each state of a module."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from quantune_mlir.graph import network
from quantune_mlir.model import Model
from quantune_mlir.samples.sample_set import SampleSet
from quantune_mlir.workflow.quantization import quantize

DATA = Path(__file__).parents[2] / "data"
STATES = 10
"""The model; before and after ops that int8 has no value of are marked; repaired, for run 2 and for the rewriter; the
program of run 1; that of run 2 and its probe; the mixed modules, all int8 for the costs, and the plan's; and the module
whose ops are grouped for the costs."""


def test_each_network_is_found_once(monkeypatch: pytest.MonkeyPatch) -> None:
    found: Counter[str] = Counter()

    def watch(name: str) -> None:
        original = getattr(network, name)

        def counted(*arguments: Any) -> Any:
            found[name] += 1
            return original(*arguments)

        monkeypatch.setattr(network, name, counted)

    for name in ("find_units", "find_tensors", "foldable_clamps", "find_layers", "readers_of"):
        watch(name)
    model = Model.load(DATA / "digits.onnx")
    samples = SampleSet.open(DATA / "digits_calibration.npz", model.inputs, count=4)
    quantize(model, samples)
    assert max(found.values()) <= STATES, found
