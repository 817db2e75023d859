"""How long people wait for a quantized network: whole commands, beside the defaults of ONNX Runtime and NNCF.

    python -m tools.quantize_seconds [--networks all] [--rounds 3] [--samples 100] [--json FILE] [--markdown FILE]

Each round has, for each network of the model zoo and in turns: `quantune quantize` with an empty cache, the same again,
the same with one layer of its plan changed, NNCF's `quantize` and ONNX Runtime's `quantize_static` (MinMax), each a
process of its own from start to exit. Tables give medians: seconds on the clock, those of all processors, the most
memory of the process and of what it starts, and how long our stages take. A peer that is not installed is left out.
"""

from __future__ import annotations

import argparse
import compileall
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import numpy as np
import psutil
import yaml
from rich.progress import track

import quantune_mlir
from quantune_mlir.backend.compile_cache import CACHE_VARIABLE
from quantune_mlir.backend.peers import openvino_child
from tools.markdown import table
from tools.network_report import geometric_mean
from tools.zoo import Zoo

COLD, WARM, EDITED, NNCF, ORT = "empty cache", "unchanged", "edited plan", "NNCF", "ONNX Runtime"
OURS: Final = (COLD, WARM, EDITED)
_POLL_SECONDS: Final = 0.25
"""Looking for all processes takes some milliseconds of those that are measured."""
_UNCOMPILED: Final = "PYTHONDONTWRITEBYTECODE"
"""Would have Python compile our code each time; what is installed was compiled by pip, as the peers are."""
_QUANTUNE: Final = (sys.executable, "-c", "from quantune_mlir.cli.entry import quantune; quantune()")


@dataclass(frozen=True)
class Taken:
    """What a command took."""

    seconds: float
    cpu_seconds: float
    peak_mib: float
    stages: dict[str, float] = field(default_factory=dict[str, float])


def run(command: Sequence[str], cache: Path) -> Taken:
    """Runs a command to its end. Raises CalledProcessError if it fails."""
    before, start = os.times(), time.perf_counter()
    variables = {name: value for name, value in os.environ.items() if name != _UNCOMPILED}
    process = subprocess.Popen(
        command, env=variables | {CACHE_VARIABLE: str(cache)}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    peak = [0]
    watching = threading.Thread(target=_watch, args=(process.pid, peak), daemon=True)
    watching.start()
    status = process.wait()
    seconds, after = time.perf_counter() - start, os.times()
    watching.join()
    if status:
        raise subprocess.CalledProcessError(status, command)
    cpu = sum(after[2:4]) - sum(before[2:4])
    return Taken(seconds, cpu, peak[0] / 2**20)


def _watch(number: int, peak: list[int]) -> None:
    """The most resident memory of a process and its children at one time."""
    try:
        process = psutil.Process(number)
        while process.status() != psutil.STATUS_ZOMBIE:
            family = [process, *process.children(recursive=True)]
            peak[0] = max(peak[0], sum(member.memory_info().rss for member in family))
            time.sleep(_POLL_SECONDS)
    except psutil.Error:
        return


def edited(plan: Path, target: Path) -> Path:
    """A plan with one int8 layer more in fp32, the last."""
    content = yaml.safe_load(plan.read_text(encoding="utf-8"))
    layer = [layer for layer in content["layers"] if layer["precision"] == "int8"][-1]
    layer["precision"] = "fp32"
    target.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
    return target


def one_round(model: Path, samples: dict[str, Any], folder: Path) -> dict[str, Taken]:
    """Each command once."""
    ours, stacked, cache = folder / "ours.npz", folder / "stacked.npz", folder / "cache"
    np.savez(ours, **samples)
    np.savez(stacked, **{name: array[:, None] for name, array in samples.items()})
    found: dict[str, Taken] = {}
    for name in OURS:
        output = folder / name.replace(" ", "_")
        command = [*_QUANTUNE, "quantize", str(model), "--calibration", str(ours), "--output", str(output)]
        if name == EDITED:
            command += ["--plan", str(edited(folder / "unchanged" / "plan.yaml", folder / "edited.yaml"))]
        taken = run(command, cache)
        stages = json.loads((output / "summary.json").read_text(encoding="utf-8"))["timings_s"]
        found[name] = Taken(taken.seconds, taken.cpu_seconds, taken.peak_mib, stages)
    child = [sys.executable, str(openvino_child.__file__), "quantize", str(model), str(stacked)]
    this = [sys.executable, "-m", "tools.quantize_seconds", "--onnxruntime", str(model), str(stacked)]
    if find_spec("nncf"):
        found[NNCF] = run([*child, str(folder / "nncf.xml")], cache)
    if find_spec("onnxruntime"):
        found[ORT] = run([*this, str(folder)], cache)
    return found


def quantize_with_onnxruntime(model: Path, samples: Path, folder: Path) -> None:
    """What the process of ONNX Runtime does."""
    from onnxruntime.quantization import QuantType

    from quantune_mlir.backend.peers.ort_static import prepare_static, quantize_qdq

    with np.load(samples) as arrays:
        names = list(arrays)
        feeds = [dict(zip(names, sample, strict=True)) for sample in zip(*arrays.values(), strict=True)]
    prepare_static(model, folder / "prepared.onnx")
    quantize_qdq(folder / "prepared.onnx", folder / "ort.onnx", feeds, activations=QuantType.QUInt8)


Rounds = dict[str, list[dict[str, Taken]]]
"""By network."""


def median(rounds: Sequence[dict[str, Taken]], command: str, what: str) -> float:
    """Of all rounds."""
    return statistics.median(getattr(each[command], what) for each in rounds)


def markdown(rounds: Rounds) -> str:
    """The tables."""
    parts = [_table(rounds, "seconds", 1), _table(rounds, "cpu_seconds", 1), _table(rounds, "peak_mib", 0)]
    titles = ("Seconds on the clock", "Seconds of all processors", "Most memory, MiB")
    text = [f"{title}:\n\n{part}" for title, part in zip(titles, parts, strict=True)]
    ratios = [
        f"{command} / {peer}, geometric mean: {_ratio(rounds, command, peer):.2f}"
        for peer in commands(rounds)[len(OURS) :]
        for command in OURS
    ]
    return "\n\n".join([*text, "\n".join(ratios), f"Stages with an empty cache, seconds:\n\n{_stages(rounds)}"]) + "\n"


def _ratio(rounds: Rounds, command: str, peer: str) -> float:
    return geometric_mean([median(r, command, "seconds") / median(r, peer, "seconds") for r in rounds.values()])


def commands(rounds: Rounds) -> list[str]:
    """What was measured, ours first."""
    return list(next(iter(rounds.values()))[0])


def _table(rounds: Rounds, what: str, digits: int) -> str:
    names = commands(rounds)
    body: list[list[str]] = []
    for network, each in rounds.items():
        body.append([network, *(f"{median(each, name, what):.{digits}f}" for name in names)])
    return table(["network", *names], body)


def _stages(rounds: Rounds) -> str:
    names = dict.fromkeys(stage for each in rounds.values() for one in each for stage in one[COLD].stages)
    body: list[list[str]] = []
    for network, each in rounds.items():
        times = [statistics.median(one[COLD].stages.get(stage, 0.0) for one in each) for stage in names]
        body.append([network, *(f"{seconds:.1f}" for seconds in times)])
    return table(["network", *(name.replace("_", " ") for name in names)], body)


def main(arguments: Sequence[str]) -> int:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--networks", default="all", help="names, separated by commas (default: all)")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--samples", type=int, default=100)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--markdown", type=Path)
    parser.add_argument("--onnxruntime", nargs=3, type=Path, help=argparse.SUPPRESS)
    options: Any = parser.parse_args(arguments)
    if options.onnxruntime is not None:
        quantize_with_onnxruntime(*options.onnxruntime)
        return 0
    compileall.compile_dir(str(Path(quantune_mlir.__file__).parent), quiet=1)
    zoo = Zoo.find()
    names: list[str] = zoo.names if options.networks == "all" else options.networks.split(",")
    rounds: Rounds = {name: [] for name in names}
    for name in track([name for _ in range(options.rounds) for name in names], "quantize"):
        with tempfile.TemporaryDirectory() as folder:
            rounds[name].append(one_round(zoo.model(name), zoo.samples(name, "calib", options.samples), Path(folder)))
    print(markdown(rounds))
    if options.json:
        plain = {name: [{key: asdict(x) for key, x in one.items()} for one in each] for name, each in rounds.items()}
        options.json.write_text(json.dumps(plain, indent=1) + "\n", encoding="utf-8")
    if options.markdown:
        options.markdown.write_text(markdown(rounds), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
