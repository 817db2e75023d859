from __future__ import annotations

import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from quantune_mlir.errors import DataError
from quantune_mlir.planning.metric import Metric
from quantune_mlir.planning.sensitivity import LayerSensitivity, RoundedTensor, SensitivityList

decibels = st.none() | st.floats(allow_nan=False)
errors = st.none() | st.floats(0, allow_nan=False)


def layer(name: str, index: int, **metrics: float | None) -> LayerSensitivity:
    facts = {"op": "Conv", "quantizable": True, "macs": 100, "weight_bytes": 40, "elements": 10}
    return LayerSensitivity.model_validate({"name": name, "index": index, **facts, **metrics})


def order(layers: list[LayerSensitivity], metric: Metric) -> list[str]:
    return [found.name for found in SensitivityList.of(layers, model="m", samples=1, metric=metric).layers]


@given(
    st.lists(
        st.builds(
            LayerSensitivity,
            name=st.text(),
            op=st.sampled_from(["Conv", "Add", "null"]),
            index=st.integers(0, 99),
            quantizable=st.booleans(),
            macs=st.integers(0, 10**12),
            weight_bytes=st.integers(0, 10**9),
            elements=st.integers(0, 10**12),
            activation_sqnr_db=decibels,
            sqnr_delta_db=decibels,
            local_sqnr_db=decibels,
            mse=errors,
            normalized_mse=errors,
            local_normalized_mse=errors,
            weight_sqnr_db=decibels,
            output_normalized_mse=errors,
        ),
        max_size=5,
    ),
    errors,
    st.floats(1e-9, 1.0),
    st.sampled_from(Metric),
)
def test_yaml_round_trips(layers: list[LayerSensitivity], rounding: float | None, share: float, metric: Metric) -> None:
    options = {"seed": 0, "range": "mse", "percentile": 99.99, "per_channel": True, "target": None}
    tensor = RoundedTensor(layer="a", readers={"b": 1.0}, noise=(1.0,))
    written = SensitivityList.of(
        layers,
        rounding=rounding,
        rounded=(tensor.model_copy(update={"noise": (share / 3,)}),),
        halved_at=(rounding, None),
        signal="output - input",
        signal_share=share,
        model="12e4",
        samples=100,
        metric=metric,
        options=options,
    )
    text = written.to_yaml()
    read = SensitivityList.from_yaml(text)
    assert read == written
    assert read.to_yaml() == text == read.sorted_by(metric).to_yaml()


def test_the_file_is_readable() -> None:
    layers = [layer("conv1", 0, local_sqnr_db=12.3456789, mse=1.23456789e-7, weight_sqnr_db=math.inf)]
    text = SensitivityList.of(layers, rounding=1.23456789e-5, model="abc", samples=100).to_yaml()
    assert text.startswith("format: 2\nmodel: abc\nsamples: 100\nmetric: alone_normalized_mse\n")
    assert "\nrounding_normalized_mse: 1.23457e-05\n" in text
    assert "\n- name: conv1\n  op: Conv\n" in text
    assert "local_sqnr_db: 12.3457\n" in text and "mse: 1.23457e-07\n" in text and "weight_sqnr_db: .inf\n" in text


@pytest.mark.parametrize("metric", Metric)
def test_most_sensitive_first(metric: Metric) -> None:
    worst, best = (9.0, 1.0) if metric.high_is_sensitive else (1.0, 9.0)
    layers = [
        layer("best", 0, **{metric.field: best}),
        layer("worst", 1, **{metric.field: worst}),
        layer("undefined", 2),
        layer("tie", 3, **{metric.field: best}),
        layer("worst of all", 4, **{metric.field: worst}).model_copy(update={"quantizable": False}),
    ]
    expected = ["worst", "best", "tie", "undefined", "worst of all"]
    assert order(layers, metric) == order(layers[::-1], metric) == expected


def test_exact_layers_are_the_least_sensitive() -> None:
    layers = [layer("exact", 0, local_sqnr_db=math.inf), layer("noisy", 1, local_sqnr_db=50.0)]
    assert order(layers, Metric.LOCAL_SQNR) == ["noisy", "exact"]


def test_nan_is_refused() -> None:
    with pytest.raises(ValidationError, match="never NaN"):
        layer("conv", 0, mse=math.nan)


def test_broken_files_name_the_line(tmp_path: Path) -> None:
    text = SensitivityList.of([layer("conv", 0)], model="m", samples=1).to_yaml()
    with pytest.raises(DataError, match=r"line 17: layers\.0\.macs: .*'many'"):
        SensitivityList.from_yaml(text.replace("macs: 100", "macs: many"))
    with pytest.raises(DataError, match="line 1: format 7 is later"):
        SensitivityList.from_yaml(text.replace("format: 2", "format: 7"))
    with pytest.raises(DataError, match="not a sensitivity list"):
        SensitivityList.from_yaml("")
    (tmp_path / "s.yaml").write_bytes(b"\xff\xfe")
    with pytest.raises(DataError, match="UTF-8"):
        SensitivityList.load(tmp_path / "s.yaml")
