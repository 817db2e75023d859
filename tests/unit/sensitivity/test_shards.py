"""Both runs give the same bits however the samples are split, and whoever runs the parts."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np
import onnx
import pytest

from quantune_mlir import Analyzer, Calibrator, Model, Profile, RunSums, SampleSet
from quantune_mlir.backend import workers
from quantune_mlir.backend.workers import Run
from quantune_mlir.errors import DataError
from quantune_mlir.hardware.targets import load_target
from quantune_mlir.integer.integer_options import IntegerOptions
from quantune_mlir.numerics.schemes import RangeMethod
from tests.unit.sensitivity.test_analysis import small_network

T = TypeVar("T")
HOST = load_target("host")
COUNT = 45


@dataclass
class HereWorkers:
    """Shards are run here, the last first, after what a wire does to them."""

    count: int
    lengths: list[int] = field(default_factory=list)

    def map(self, work: Callable[[list[Run]], T], shards: Iterable[list[Run]]) -> Iterator[T]:
        sent = [pickle.dumps(shard) for shard in shards]
        self.lengths = [len(pickle.loads(shard)) for shard in sent]
        return iter([work(pickle.loads(shard)) for shard in reversed(sent)][::-1])


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    path = tmp_path_factory.mktemp("shards") / "model.onnx"
    onnx.save(small_network(), path)
    return Model.load(path)


@pytest.fixture(scope="module")
def data() -> np.ndarray:
    return np.random.default_rng(3).standard_normal((COUNT, 3, 8, 8)).astype(np.float32)


@pytest.fixture(scope="module")
def samples(model: Model, data: np.ndarray) -> SampleSet:
    return SampleSet.open({"x": data}, model.inputs)


@pytest.fixture(scope="module")
def calibrator(model: Model) -> Calibrator:
    return Calibrator(model, HOST)


@pytest.fixture(scope="module")
def profile(calibrator: Calibrator, samples: SampleSet) -> Profile:
    return calibrator.run(samples)


@pytest.fixture(scope="module")
def repaired(model: Model, profile: Profile) -> Model:
    return model.after("repair", profile=profile, range=RangeMethod.MINMAX)


def test_profiles_of_parts_merge_to_that_of_all(calibrator: Calibrator, samples: SampleSet, profile: Profile) -> None:
    parts = [calibrator.run(samples.only(range(start, COUNT, 4))) for start in range(4)]
    assert Profile.merge(parts[::-1]).to_bytes() == profile.to_bytes()


@pytest.mark.parametrize("count", [1, 2, 7])
def test_workers_give_the_same_profile(model: Model, samples: SampleSet, profile: Profile, count: int) -> None:
    given, ticks = HereWorkers(count), []
    calibrator = Calibrator(model, HOST, given)
    assert calibrator.run(samples, lambda: ticks.append(1)).to_bytes() == profile.to_bytes()
    assert sum(given.lengths) == len(ticks) == COUNT and len(given.lengths) >= min(4 * count, 22)


@pytest.mark.parametrize("count", [1, 3])
def test_threads_give_the_same_profile(
    model: Model, samples: SampleSet, profile: Profile, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workers, "processors", lambda: count)
    ticks: list[int] = []
    found = Calibrator(model, HOST).run(samples, lambda: ticks.append(1))
    assert found.to_bytes() == profile.to_bytes() and len(ticks) == COUNT


def test_what_workers_cannot_run_is_named_by_its_sample(model: Model, data: np.ndarray) -> None:
    bad = data.copy()
    bad[[20, 37]] = np.finfo(np.float32).max
    samples = SampleSet.open({"x": bad}, model.inputs).only(range(3, COUNT))
    messages: list[str] = []
    for chosen in (None, HereWorkers(2)):
        with pytest.raises(DataError, match="at sample 20") as caught:
            Calibrator(model, HOST, chosen).run(samples)
        messages.append(str(caught.value))
    assert messages[0] == messages[1]


def test_run_2_is_the_same_to_the_bit(repaired: Model, samples: SampleSet, monkeypatch: pytest.MonkeyPatch) -> None:
    told: dict[int, list[tuple[bytes, ...]]] = {}

    def analyzer(given: HereWorkers | None) -> Analyzer:
        runs = told.setdefault(given.count if given else 0, [])
        return Analyzer(
            repaired,
            IntegerOptions(),
            HOST,
            lambda inputs, outputs: runs.append(tuple(array.tobytes() for array in (*inputs, *outputs))),
            workers=given,
        )

    monkeypatch.setattr(workers, "processors", lambda: 3)
    here = analyzer(None)
    whole = here.sums(samples)
    assert sorted(whole.by_run) == sorted((*here.runs(samples).probed, *here.runs(samples).compared))
    thirds = [here.sums(samples, only=range(start, COUNT, 3)) for start in range(3)]
    joined = RunSums.merge(reversed(thirds))
    monkeypatch.setattr(workers, "processors", lambda: 1)
    for sums in (
        joined,
        analyzer(None).sums(samples),
        analyzer(HereWorkers(1)).sums(samples),
        analyzer(HereWorkers(5)).sums(samples),
    ):
        assert here.analysis(samples, sums) == here.analysis(samples, whole)
    assert told[1] == told[5] == told[0][: len(whole.by_run)]
    assert here.analysis(samples, whole).layers[0].local_sqnr_db


def test_sums_of_parts_must_be_of_different_runs_of_one_program() -> None:
    one, other = RunSums(1, {0: np.ones((1, 2))}), RunSums(2, {1: np.ones((2, 2))})
    with pytest.raises(DataError, match="a run in common"):
        RunSums.merge([one, one])
    with pytest.raises(DataError, match="of different programs"):
        RunSums.merge([one, other])
    with pytest.raises(DataError, match="1 runs were not measured, the first of them run 1"):
        one.total([0, 1])
