"""The comparison of variants and peers, with fakes for both."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from quantune_mlir.backend.compiling import Compiling
from quantune_mlir.backend.peers import preparation
from quantune_mlir.backend.peers.job import Contender, Job
from quantune_mlir.errors import PeerError
from quantune_mlir.hardware.targets import load_target
from quantune_mlir.samples.sample_set import InputSpec
from quantune_mlir.workflow.comparison import Comparison, compare, random_values

Peers = dict[str, Callable[[], Contender]]


class FakeVariants:
    """Two variants that do nothing."""

    model = SimpleNamespace(inputs=(InputSpec("x", (1, 4), np.dtype(np.float32)),))
    target = load_target("host")
    cache = Path("absent")

    def load(self, variant: str, *, device: str) -> Any:
        return SimpleNamespace(bound=lambda *values: lambda: None)

    def compiled(self, variant: str, compiling: Compiling) -> Path:
        return Path(variant)


def compare_fakes(peers: Peers, monkeypatch: pytest.MonkeyPatch, **options: Any) -> tuple[Comparison, list[Job]]:
    jobs: list[Job] = []

    def prepare(name: str, job: Job) -> Callable[[], Contender]:
        jobs.append(job)
        if name not in peers:
            raise PeerError("foo is not installed", where=name)
        return peers[name]

    monkeypatch.setattr(preparation, "prepare", prepare)
    variants: Any = FakeVariants()
    result = compare(variants, ("fp32", "int8"), ["onnxruntime", "iree", "iree-tosa"], seconds=0, **options)
    return result, jobs


def test_keys_ratios_and_absent_peers(monkeypatch: pytest.MonkeyPatch) -> None:
    closed: list[str] = []
    peers: Peers = {
        "onnxruntime": lambda: Contender(lambda calls: 1e-3 * calls, Path("m.onnx"), lambda: closed.append("ort"))
    }

    def refuse() -> Contender:
        raise PeerError("cannot run this model: no threads", where="iree-tosa")

    peers["iree-tosa"] = refuse
    result, _ = compare_fakes(peers, monkeypatch)
    rows = result.as_dict()
    assert list(rows) == ["fp32", "int8", "onnxruntime"]
    assert rows["onnxruntime"]["median_ms"] == pytest.approx(1.0) and "against" not in rows["onnxruntime"]
    for variant in ("fp32", "int8"):
        against = rows[variant]["against"]
        assert list(against) == ["onnxruntime"] and set(against["onnxruntime"]) == {"median", "p10", "p90"}
        assert against["onnxruntime"]["median"] == pytest.approx(rows[variant]["median_ms"], rel=1e-6)
    assert result.absent == {
        "iree": "iree: foo is not installed",
        "iree-tosa": "iree-tosa: cannot run this model: no threads",
    }
    assert closed == ["ort"]


def test_a_peer_that_breaks_ends_the_measurement_and_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    closed: list[str] = []

    def run(calls: int) -> float:
        raise PeerError("OpenVINO failed", where="openvino-int8")

    with pytest.raises(PeerError, match="OpenVINO failed"):
        compare_fakes({"iree": lambda: Contender(run, Path("m"), lambda: closed.append("iree"))}, monkeypatch)
    assert closed == ["iree"]


def test_samples_are_random_where_none_are_given(monkeypatch: pytest.MonkeyPatch) -> None:
    _, jobs = compare_fakes({}, monkeypatch)
    samples = list(jobs[0].calibration)
    assert [sample[0].shape for sample in samples] == [(1, 4)] * len(samples) and len(samples) > 1
    assert not np.array_equal(samples[0][0], samples[1][0])
    given = [(np.zeros((1, 4), np.float32),)]
    _, jobs = compare_fakes({}, monkeypatch, calibration=given)
    assert jobs[0].calibration is given


def test_unknown_peers_are_refused_before_anything_is_done() -> None:
    variants: Any = None
    with pytest.raises(PeerError, match="unknown peer 'tensorflow'"):
        compare(variants, peers=["tensorflow"])


def test_without_peers_there_is_nothing_to_set_against() -> None:
    times = {"fp32": np.ones(3), "int8": np.ones(3)}
    assert "against" not in Comparison(times, {}, {}).as_dict()["int8"]


def test_random_values_keep_shape_and_dtype() -> None:
    specs = [InputSpec("x", (2, 3), np.dtype(np.float32)), InputSpec("i", (4,), np.dtype(np.int64))]
    floats, integers = random_values(specs, np.random.default_rng(0))
    assert floats.dtype == np.float32 and floats.shape == (2, 3) and 0 <= floats.min() < floats.max() < 1
    assert integers.dtype == np.int64 and not integers.any()
