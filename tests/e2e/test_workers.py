"""Both inference runs on a cluster of processes: the same files as on one machine, also where a worker is killed."""

from __future__ import annotations

import contextlib
import os
import pickle
import signal
import subprocess
import sys
from collections.abc import Callable, Generator, Iterable, Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

import quantune_mlir
from quantune_mlir import Calibrator, DaskWorkers, Model, SampleSet, quantize
from quantune_mlir.backend import dask_workers
from quantune_mlir.backend.workers import Run
from quantune_mlir.errors import WorkerError
from quantune_mlir.hardware.targets import load_target
from tests.e2e.conftest import Quantune
from tests.e2e.models import conv_relu, images, save_model, save_samples
from tests.e2e.pages import blocks
from tools.sweep import cells, sweep

distributed = pytest.importorskip("distributed", reason="dask.distributed is not installed")
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def scheduler() -> Generator[str]:
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=":0", silence_logs=50
    ) as cluster:
        yield cluster.scheduler_address


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return save_model(conv_relu(), tmp_path / "model.onnx")


@pytest.fixture
def samples(tmp_path: Path) -> Path:
    return save_samples(tmp_path / "samples.npz", x=images(30))


def test_a_cluster_writes_the_same_files(
    quantune: Quantune, tmp_path: Path, scheduler: str, model: Path, samples: Path
) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    common = ("quantize", model, "--calibration", samples)
    for folder, options in ((here, ()), (there, ("--scheduler", scheduler))):
        done = quantune(*common, *options, "--output", folder)
        assert done.status == 0, done.stderr
    names = sorted(file.name for file in here.iterdir())
    assert names == sorted(file.name for file in there.iterdir())
    timed = {"report.html", "summary.json"}  # They hold the seconds that it took.
    assert len({*names} - timed) > 4
    for name in {*names} - timed:
        assert (here / name).read_bytes() == (there / name).read_bytes(), name

    merged = tmp_path / "profile.npz"
    command = ("profile", "make", model, "--calibration", samples, "--scheduler", scheduler, "-o", merged)
    assert quantune(*command).status == 0
    assert merged.read_bytes() == (here / "profile.npz").read_bytes()


class KillingWorkers(DaskWorkers):
    """The first shard but one of each run kills the process that works on it."""

    def __init__(self, address: str, marker: Path) -> None:
        super().__init__(address)
        self.marker, self.killed = marker, 0

    def map(self, work: Callable[[list[Run]], Any], shards: Iterable[list[Run]]) -> Iterator[Any]:
        self.killed += 1
        marker = str(self.marker) + str(self.killed)

        def dying(shard: list[Run]) -> Any:
            if shard[0][0] > 0:
                with contextlib.suppress(FileExistsError):  # Both workers may come here at once.
                    open(marker, "x").close()
                    os.kill(os.getpid(), signal.SIGKILL)
            return work(shard)

        return super().map(dying, shards)


def test_a_killed_worker_changes_nothing(tmp_path: Path, scheduler: str, model: Path, samples: Path) -> None:
    loaded = Model.load(model)
    opened = SampleSet.open(samples, loaded.inputs)
    with KillingWorkers(scheduler, tmp_path / "killed") as workers:
        there = quantize(loaded, opened, workers=workers, verify=False)
    assert len(list(tmp_path.glob("killed*"))) >= 2
    here = quantize(loaded, opened, verify=False)
    assert there.profile.to_bytes() == here.profile.to_bytes()
    assert there.sensitivity.to_yaml() == here.sensitivity.to_yaml()


def test_errors_of_workers_are_told(scheduler: str) -> None:
    def failing(shard: list[Run]) -> None:
        raise ValueError("there is no such thing")

    with DaskWorkers(scheduler) as workers, pytest.raises(WorkerError, match="ValueError: there is no such thing"):
        list(workers.map(failing, [[(0, ())]]))


def test_where_nobody_answers(
    refused: Callable[..., str], tmp_path: Path, model: Path, samples: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dask_workers, "_SECONDS", 2)
    command = ("quantize", model, "--calibration", samples, "--output", tmp_path / "out")
    assert "no scheduler answers" in refused(*command, "--scheduler", "tcp://127.0.0.1:9")
    assert "no scheduler answers" in refused(*command, "--scheduler", "nonsense://here")
    with distributed.LocalCluster(n_workers=0, processes=True, dashboard_address=":0") as cluster:
        assert "has no workers" in refused(*command, "--scheduler", cluster.scheduler_address)


WORKER = """
import pickle, sys
sys.path += [sys.argv[1]]
work, shard = pickle.loads(open(sys.argv[2], "rb").read())
found = pickle.loads(work)(shard)
assert not [name for name in sys.modules if name.startswith(("quantune_mlir", "iree.compiler"))]
open(sys.argv[3], "wb").write(pickle.dumps(found))
"""


def test_a_worker_needs_numpy_and_the_runtime_only(tmp_path: Path, scheduler: str, model: Path) -> None:
    packages = tmp_path / "packages"
    (packages / "iree").mkdir(parents=True)
    installed = Path(np.__file__).parents[1]
    for name in ("numpy", "numpy.libs", "ml_dtypes", "iree_base_runtime.libs", "cloudpickle"):
        if (installed / name).exists():
            (packages / name).symlink_to(installed / name)
    for part in (installed / "iree").iterdir():
        if "runtime" in part.name:
            (packages / "iree" / part.name).symlink_to(part)

    class Recording:
        count = 1

        def map(self, work: Callable[[list[Run]], Any], shards: Iterable[list[Run]]) -> Iterator[Any]:
            with DaskWorkers(scheduler) as workers:
                for shard in shards:
                    (tmp_path / "sent").write_bytes(pickle.dumps((workers._by_value(work), shard)))
                    command = [sys.executable, "-S", "-c", WORKER, packages, tmp_path / "sent", tmp_path / "found"]
                    done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
                    assert done.returncode == 0, done.stderr
                    yield pickle.loads((tmp_path / "found").read_bytes())

    loaded, target = Model.load(model), load_target("host")
    opened = SampleSet.open({"x": images(6)}, loaded.inputs)
    there = Calibrator(loaded, target, Recording()).run(opened)
    assert there.to_bytes() == Calibrator(loaded, target).run(opened).to_bytes()


def test_a_sweep_tells_what_came_of_each_network(tmp_path: Path, scheduler: str, model: Path, samples: Path) -> None:
    (tmp_path / "broken.onnx").write_bytes(b"nothing")
    with np.load(samples) as arrays:
        data = dict(arrays)
    found = sweep(scheduler, {"tiny": (model, data), "broken": (tmp_path / "broken.onnx", data)})
    loaded = Model.load(model)
    assert [outcome.network for outcome in found] == ["tiny", "broken"]
    assert found[0].layers == len(loaded.layers) and found[0].bytes > 1000 and found[0].sqnr_db
    assert "not an ONNX model" in found[1].error and found[1].error in cells(found[1])


@pytest.mark.parametrize("installed", [False, True], ids=["stand-in", "ray"])
def test_the_ten_lines_for_ray(
    tmp_path: Path, model: Path, samples: Path, monkeypatch: pytest.MonkeyPatch, installed: bool
) -> None:
    """As the page has them; without Ray, what it does stands in for it."""
    if installed:
        pytest.importorskip("ray", reason="Ray is not installed").init(num_cpus=2, log_to_driver=False)
    else:
        ray: Any = ModuleType("ray")
        ray.put, ray.get, ray.remote = (lambda it: it), (lambda it: it), (lambda work: SimpleNamespace(remote=work))
        monkeypatch.setitem(sys.modules, "ray", ray)
    (text,) = (block.text for block in blocks(Path("docs/cluster.md").read_text("utf-8")) if "import ray" in block.text)
    loaded = Model.load(model)
    known = {"qt": quantune_mlir, "model": loaded, "samples": SampleSet.open(samples, loaded.inputs)}
    exec(text, known)
    here = quantize(loaded, SampleSet.open(samples, loaded.inputs), verify=False)
    assert known["result"].sensitivity.to_yaml() == here.sensitivity.to_yaml()
