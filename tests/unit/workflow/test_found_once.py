"""One quantization finds the facts of a network once for each module that there is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from quantune_mlir.graph import network
from quantune_mlir.mlir.bindings import ir
from quantune_mlir.model import Model
from quantune_mlir.samples.sample_set import SampleSet
from quantune_mlir.workflow.quantization import quantize

DATA = Path(__file__).parents[2] / "data"
MODULES = 9
"""The model, what is left of it once int8 has no value of some ops, repaired for run 2 and for plans, the programs of
run 1 and run 2, the latter's probe, and both mixed modules: all int8, for the costs, and the plan's."""


def test_each_network_is_found_once(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[str, list[Any]] = {}

    def watch(name: str, place: Callable[[Sequence[Any]], Any]) -> None:
        original = getattr(network, name)

        def counted(*arguments: Any) -> Any:
            seen.setdefault(name, []).append(place(arguments))
            return original(*arguments)

        monkeypatch.setattr(network, name, counted)

    watch("find_units", lambda arguments: arguments[0].owner)
    watch("find_tensors", lambda arguments: arguments[0])
    watch("foldable_clamps", lambda arguments: id(arguments[0]))
    watch("find_layers", lambda arguments: id(arguments[0]))
    model = Model.load(DATA / "digits.onnx")
    samples = SampleSet.open(DATA / "digits_calibration.npz", model.inputs, count=4)
    quantize(model, samples)
    for name, places in seen.items():
        again = [place for place in places if places.count(place) > 1]
        assert not again, f"{name} twice of one module"
        assert len(places) <= MODULES, name
    assert all(isinstance(place, ir.Operation) for place in seen["find_tensors"])
