"""The costs of the digits network: what belongs to which layer, modelled and measured."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from quantune_mlir.backend import group_latency
from quantune_mlir.backend.compile_cache import CACHE_VARIABLE
from quantune_mlir.backend.host_cache import HostCache
from quantune_mlir.backend.kernel_groups import KernelGroup, kernel_groups
from quantune_mlir.hardware.targets import Target, load_target
from quantune_mlir.model import Model
from quantune_mlir.numerics.formats import FP32, INT8
from quantune_mlir.planning.plan import ALL_INT8
from quantune_mlir.samples.sample_set import SampleSet
from quantune_mlir.sensitivity.calibration import Calibrator
from quantune_mlir.workflow.layer_costs import measured_costs, modelled_costs, number_of_costs
from quantune_mlir.workflow.options import DEFAULTS
from quantune_mlir.workflow.rewriting import PlanRewriter

DATA = Path(__file__).parents[2] / "data"
HOST = load_target("host")
Forms = tuple[Model, Sequence[KernelGroup], Sequence[KernelGroup]]


@pytest.fixture(scope="module")
def forms() -> Forms:
    model = Model.load(DATA / "digits.onnx")
    samples = SampleSet.open(DATA / "digits_calibration.npz", model.inputs, count=8)
    profile = Calibrator(model, HOST).run(samples)
    int8 = PlanRewriter(model, profile, DEFAULTS).rewrite(ALL_INT8)
    return model, {FP32: kernel_groups(model.module), INT8: kernel_groups(int8.module)}


def test_every_dispatch_belongs_to_the_layer_that_starts_it(forms: Forms) -> None:
    fp32, int8 = forms[1][FP32], forms[1][INT8]
    first = [group.layers[0] for group in int8 if group.work.macs]
    assert first == ["stem/conv", "depthwise/conv", "pointwise/conv", "head/conv", "classifier/gemm"]
    assert first == [group.layers[0] for group in fp32 if group.work.macs]


def test_work_is_counted_in_the_precision_of_the_multiplications(forms: Forms) -> None:
    model, groups = forms
    fp32, int8 = groups[FP32], groups[INT8]
    macs = {layer.name: layer.macs for layer in model.layers if layer.macs}
    for module, precision, weight_bytes in ((fp32, "fp32", 4), (int8, "int8", 1)):
        dots = [group for group in module if group.work.macs]
        assert {group.layers[0]: group.work.macs for group in dots} == macs
        assert {group.work.precision for group in dots} == {precision}
        weights = {layer.name: layer.weight_elements for layer in model.layers}
        assert all(group.work.moved > weight_bytes * weights[group.layers[0]] for group in dots)


def test_int8_is_modelled_as_quicker_and_smaller(forms: Forms) -> None:
    costs = modelled_costs(*forms, HOST)
    assert costs.unit == "cycles"
    deciding = [layer.name for layer in forms[0].layers if layer.decides]
    assert list(costs.layers) == deciding
    int8, fp32 = costs.total({}), costs.total(dict.fromkeys(deciding, FP32))
    assert int8.time < fp32.time and int8.size < fp32.size / 3
    assert costs == modelled_costs(*forms, HOST)


def test_weights_that_the_cache_does_not_keep_are_read_from_memory(forms: Forms) -> None:
    kept = modelled_costs(*forms, HOST)
    constants = sum(group.work.constants for group in forms[1][FP32])

    def very_slow(cache: int) -> Target:
        slow = HOST.throughput.model_copy(update={"cache": cache, "memory": 1e-3})
        return HOST.model_copy(update={"throughput": slow})

    assert modelled_costs(*forms, very_slow(constants)) == kept
    layers = modelled_costs(*forms, very_slow(constants - 1)).layers
    for layer in forms[0].layers:
        if layer.weight_elements:
            fp32, int8 = layers[layer.name][FP32].time, layers[layer.name][INT8].time
            assert fp32 == pytest.approx(4e3 * layer.weight_elements, rel=0.2)
            assert int8 < fp32 / 2


def test_what_is_read_twice_has_a_boundary(forms: Forms) -> None:
    streams = {stream.producer: stream for stream in modelled_costs(*forms, HOST).streams}
    (split,) = streams.values()
    converting = {reader.layer: reader.converts for reader in split.readers}
    assert converting == {"depthwise/conv": False, "residual/add": True}
    assert split.conversion > 0


def test_slower_instruction_sets_take_longer(forms: Forms) -> None:
    model, groups = forms
    everything = [layer.name for layer in model.layers if layer.decides]
    times = [
        modelled_costs(model, groups, load_target(name)).total(dict.fromkeys(everything, FP32)).time
        for name in ("x86-64-avx512vnni", "x86-64-avx2", "cortex-a53")
    ]
    assert times == sorted(set(times))


def test_measured_once(forms: Forms, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "cache"))
    known: list[int] = []
    costs = measured_costs(*forms, HOST, lambda: known.append(1))
    assert costs.unit == "µs"
    assert len(known) == number_of_costs(*forms)
    assert all(cost[INT8].time >= 0 and cost[FP32].time >= 0 for cost in costs.layers.values())
    assert costs.layers["stem/conv"][INT8].time > 0
    monkeypatch.setattr(group_latency, "_measure", lambda *_: pytest.fail("measured again"))
    assert measured_costs(*forms, HOST) == costs


def test_a_broken_cache_is_an_empty_one(tmp_path: Path) -> None:
    file = tmp_path / "cache.json"
    for content in ("{", "[1]", '{"a": "slow"}'):
        file.write_text(content)
        assert HostCache(file, float).get("a") is None
    cache = HostCache(file, float)
    cache.add({"a": 1.5})
    assert HostCache(file, float).get("a") == 1.5
