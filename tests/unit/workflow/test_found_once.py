"""One quantization finds the facts of a network once for each state of a module, and integers of weights once."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from quantune_mlir.graph import network
from quantune_mlir.model import Model
from quantune_mlir.numerics import known_weights
from quantune_mlir.samples.sample_set import SampleSet
from quantune_mlir.workflow.quantization import quantize

DATA = Path(__file__).parents[2] / "data"
STATES = 10
"""The model; before, between and after the two passes that mark what stays fp32; repaired; the program of run 1; that
of run 2 and its probe; the mixed modules, all int8 for the costs, and the plan's; and the module whose ops are grouped
for the costs."""


WEIGHTED = 5
"""Layers with weights."""


def test_each_network_is_found_once_and_each_weight_quantized_once(monkeypatch: pytest.MonkeyPatch) -> None:
    found: Counter[str] = Counter()

    def watch(module: ModuleType, name: str) -> None:
        original = getattr(module, name)

        def counted(*arguments: Any) -> Any:
            found[name] += 1
            return original(*arguments)

        monkeypatch.setattr(module, name, counted)

    for name in ("find_units", "find_tensors", "foldable_clamps", "find_layers", "readers_of"):
        watch(network, name)
    watch(known_weights, "quantize_weights")
    model = Model.load(DATA / "digits.onnx")
    samples = SampleSet.open(DATA / "digits_calibration.npz", model.inputs, count=4)
    quantize(model, samples)
    assert found.pop("quantize_weights") == WEIGHTED
    assert max(found.values()) <= STATES, found
