"""What is fuzzed: for each kind of input its seeds, how it is changed, and what reads it."""

from __future__ import annotations

import io
import json
import os
import random
import resource
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from onnx.backend.test.case import node as node_cases

from quantune_mlir.cli import entry
from quantune_mlir.files import resources
from quantune_mlir.files.processes import die_with_parent
from quantune_mlir.importers.onnx import import_onnx
from quantune_mlir.kernels.isa.table import ISAS
from quantune_mlir.kernels.tiling.tuned_tiles import TunedTiles
from quantune_mlir.numerics.channels import BINS, ChannelStatistics
from quantune_mlir.numerics.histogram import Histogram
from quantune_mlir.numerics.profile import Profile, merge
from quantune_mlir.pipeline.driver import run_named_pipeline
from quantune_mlir.pipeline.parser import Pipeline
from quantune_mlir.planning.plan import PrecisionPlan
from quantune_mlir.planning.sensitivity import SensitivityList
from quantune_mlir.report.run import Run
from quantune_mlir.report.summary_file import Summary
from quantune_mlir.samples.sample_set import InputSpec, SampleSet
from quantune_mlir.workflow.artifacts import read_summary
from quantune_mlir.workflow.options import DEFAULTS, QuantizeOptions
from quantune_mlir.workflow.reports import report_bytes
from tools.fuzz.mutate import WORDS, mutated_bytes, mutated_npz, mutated_text, mutated_value
from tools.fuzz.mutate_onnx import mutated_model
from tools.fuzz.outcome import ContainedCrash
from tools.fuzz.server import SECONDS

ROOT: Final = Path(__file__).parents[2]
_DIGITS: Final = ROOT / "tests" / "data" / "digits.onnx"
_SPEC: Final = InputSpec("x", (1, 3), np.dtype(np.float32))


@dataclass(frozen=True)
class Surface:
    """A kind of input.

    Attributes:
        suffix: of its files.
        seeds: valid ones.
        mutate: a change.
        run: what reads them.
        share: of the inputs.
    """

    name: str
    suffix: str
    seeds: Callable[[], Sequence[bytes]]
    mutate: Callable[[bytes, random.Random], bytes]
    run: Callable[[Path], object]
    share: int


def _onnx_seeds() -> list[bytes]:
    cases = node_cases.collect_testcases()
    models = [case.model.SerializeToString() for case in cases if case.model is not None]
    return [*(m for m in models if len(m) < 100_000), *[_DIGITS.read_bytes()] * (len(models) // 4 + 1)]


def _import(path: Path) -> None:
    module = import_onnx(path)
    with module.context:
        run_named_pipeline(module, "simplify")


def _mlir_seeds() -> list[bytes]:
    module = import_onnx(_DIGITS)
    bytecode = io.BytesIO()
    module.operation.write_bytecode(bytecode)
    lit = [path.read_bytes() for path in sorted((ROOT / "tests" / "lit").glob("*/*.mlir"))]
    lit = [text for text in lit if text.isascii() and b"-----" not in text]
    return [*lit, *[bytecode.getvalue()] * (len(lit) // 2)]


def _mutated_mlir(data: bytes, rng: random.Random) -> bytes:
    return mutated_bytes(data, rng) if data.startswith(b"ML\xef") else mutated_text(data, rng)


def _quantune_opt(path: Path) -> None:
    pipelines = ([], ["--pipeline", "simplify"], ["--canonicalize", "--cse"])
    _command("quantune-opt", [str(path), "-o", os.devnull, *pipelines[path.stat().st_size % len(pipelines)]])


def _command(program: str, arguments: Sequence[str]) -> None:
    """Run a command as its users do. Raises AssertionError if it does not end as it should."""
    errors = os.memfd_create("stderr")
    child = os.fork()
    if not child:
        die_with_parent()
        resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS + 1))
        os.dup2(errors, 2)
        sys.argv = [program, *arguments]
        try:
            (entry.quantune if program == "quantune" else entry.quantune_opt)()
        except SystemExit as ended:
            os._exit(ended.code if isinstance(ended.code, int) else 1)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    said = os.pread(errors, 1 << 20, 0).decode(errors="replace")
    os.close(errors)
    code = os.waitstatus_to_exitcode(status)
    bad = next((word for word in ("Traceback", "internal error", "\x1b") if word in said), None)
    assert code >= 0 and bad is None and "SIGXCPU" not in said, f"status {code}, {bad}"
    if "crashed on it" in said:
        raise ContainedCrash
    if code:
        raise SystemExit(code)


def _profile() -> Profile:
    channels = ChannelStatistics(4, np.ones((3, BINS), np.int64), np.zeros(3, np.float32), np.ones(3, np.float32))
    values = np.linspace(-2, 3, 99, dtype=np.float32)
    return Profile("ab" * 32, 4, {"conv": Histogram.of(values), "%x": Histogram.of(values * 0)}, {"conv": channels})


def _read_profile(path: Path) -> None:
    found = Profile.load(path)
    merge([found, found])


def _plan_seeds() -> list[bytes]:
    layer = b"{name: conv, op: Conv, precision: int8, reason: x}"
    return [b"format: 1\nmodel: abcd\npolicy: knee\ndefault: int8\nlayers:\n- " + layer]


def _sensitivity_seeds() -> list[bytes]:
    layer = "{name: a, op: Conv, index: 0, quantizable: true, macs: 9, weight_bytes: 4, elements: 3, mse: .inf}"
    return [f"format: 1\nmodel: ab\nsamples: 3\nmetric: mse\noptions: {{a: 1}}\nlayers:\n- {layer}\n".encode()]


def _tiles_seeds() -> list[bytes]:
    shape = "input: [1, 8, 8, 16], output: [8, 8, 16], kernel: [3, 3], stride: [1, 1], dilation: [1, 1], pad: [1, 1]"
    entry_ = f"{{precision: int8, {shape}, tile: [1, 4, 1], workgroup: [8, 8, 1], speedup: 1.1}}"
    return [f"format: 1\nisa: {isa}\nkernels:\n- {entry_}\n".encode() for isa in ISAS]


def _summary_seeds() -> list[bytes]:
    content = {"format": 1, "versions": {"numpy": "2"}, "options": DEFAULTS.as_dict(), "model": {"path": "m.onnx"}}
    return [json.dumps(content).encode()]


def _report_seeds() -> list[bytes]:
    amount = {"time": 1.0, "bytes": 4}
    decision = {"ground": "quiet", "rank": 1, "noise": 0.1, "noise_int8": 0.1, "noise_fp32": 0.0, "extra_time": -1.0}
    layer = {
        "name": "a",
        "op": "Conv",
        "precision": "int8",
        "macs": 1,
        "weight_bytes": 4,
        "shape": [1, 2],
        "inputs": ["%x"],
        "boundaries": ["%x"],
        "activation_sqnr_db": "inf",
        "mse": 0.1,
        "reason": "so",
        "decision": decision,
        "cost": {"int8": amount, "fp32": amount},
        "weights": {"channels": 2, "largest": [0.5, 1.0]},
    }
    point = {"chosen": True, "sqnr_db": "inf", **amount, "fp32": [0], "options": ["--min-sqnr", "3"]}
    sizes = {"fp32_program_bytes": 2, "mixed_program_bytes": 1, "macs": 1}
    content = {
        "format": 3,
        "versions": {"numpy": "2"},
        "options": {"weights": "per-channel"},
        "model": {"file": "m"},
        "inference_runs": {"fp32": 1},
        "timings_s": {"plan": 0.1},
        "trials": [{"score": 0.5, "accepted": True}],
        "predicted": [{"layer": "a", "int8_sqnr_db": 20.0, "mixed_sqnr_db": "-inf"}],
        "costs": {"unit": "cycles", "int8": amount, "mixed": amount, "fp32": amount},
        "front": [point],
        "layers": [layer],
        "tensors": [{"name": "a", "scale": 0.1, "zero_point": 0, "low": -1.0, "high": 1.0}],
        "totals": {**sizes, "int8_mac_share": 1.0, "int8_layers": 1, "layers": 1},
    }
    return [json.dumps(content).encode()]


def _mutated_json(data: bytes, rng: random.Random) -> bytes:
    if rng.random() < 0.4:
        return mutated_text(data, rng)
    return json.dumps(mutated_value(json.loads(data), rng)).encode()


def _read_summary(path: Path) -> None:
    QuantizeOptions.from_dict(read_summary(path)["options"])  # type: ignore[arg-type]


def _report(path: Path) -> None:
    report_bytes(Run("net.onnx", Summary.load(path), _profile()))


def _sample_seeds() -> list[bytes]:
    file = io.BytesIO()
    np.savez(file, x=np.ones((6, 3), np.float32), labels=np.arange(6))
    return [file.getvalue()]


def _read_samples(path: Path) -> None:
    samples = SampleSet.open(path, [_SPEC], count=4)
    samples.require_finite()
    _ = samples.labels


def _pipeline_seeds() -> list[bytes]:
    mixed = b"builtin.module(canonicalize,func.func(cse,canonicalize{max-iterations=3}),quantune-fold-constants)"
    return [mixed, *(resources.pipeline_text(name).encode() for name in resources.pipelines())]


def _read_pipeline(path: Path) -> None:
    Pipeline.parse(path.read_text(encoding="utf-8", errors="replace"))


_COMMANDS: Final = ("quantize", "analyze", "evaluate", "bench", "compile", "tune", "run", "profile", "targets", "opt")
_OPTIONS: Final = (
    *("--calibration", "--output", "--data", "--plan", "--profile", "--tiles", "--target", "--json", "--input", "-o"),
    *("--samples", "--seed", "--batch", "--shape", "--max-drop", "--max-size", "--max-latency", "--min-sqnr"),
    *("--fp32-layers", "--keep-fp32", "--range", "--threads", "--seconds", "--variant", "--set", "--force"),
    *("--metric", "--pipeline", "--pass-pipeline", "--elide-constants", "--split-input-file", "--help", "--version"),
    *("merge", "make", "--not-an-option"),
)
_VALUES: Final = (*WORDS, "0", "-1", "nan", "inf", "9" * 5000, "x=1x2", "=", "x=0", "/", ".", "a.npz", "/proc/self/mem")


def _command_seeds() -> list[bytes]:
    return [b"\n".join(part.encode() for part in (command, *_OPTIONS[:3])) for command in _COMMANDS]


def _mutated_command(data: bytes, rng: random.Random) -> bytes:
    words = [data.split(b"\n")[0].decode()]
    for _ in range(rng.randrange(7)):
        words.append(rng.choice(_OPTIONS) if rng.random() < 0.6 else rng.choice(_VALUES))
    return "\n".join(word.replace("\n", " ") for word in words).encode(errors="surrogateescape")


def _run_command(path: Path) -> None:
    command, *rest = path.read_bytes().decode(errors="surrogateescape").split("\n")
    os.chdir(path.parent)
    _command("quantune-opt" if command == "opt" else "quantune", rest if command == "opt" else [command, *rest])


SURFACES: Final = (
    Surface("onnx", ".onnx", _onnx_seeds, mutated_model, _import, 40),
    Surface("mlir", ".mlir", _mlir_seeds, _mutated_mlir, _quantune_opt, 4),
    Surface("profile", ".npz", lambda: [_profile().to_bytes()], mutated_npz, _read_profile, 20),
    Surface("plan", ".yaml", _plan_seeds, mutated_text, lambda path: PrecisionPlan.load(path), 10),
    Surface("sensitivity", ".yaml", _sensitivity_seeds, mutated_text, lambda path: SensitivityList.load(path), 10),
    Surface("tiles", ".yaml", _tiles_seeds, mutated_text, lambda path: TunedTiles.load(path), 10),
    Surface("summary", ".json", _summary_seeds, _mutated_json, _read_summary, 10),
    Surface("report", ".json", _report_seeds, _mutated_json, _report, 20),
    Surface("samples", ".npz", _sample_seeds, mutated_npz, _read_samples, 20),
    Surface("pipeline", ".pipeline", _pipeline_seeds, mutated_text, _read_pipeline, 4),
    Surface("command line", ".txt", _command_seeds, _mutated_command, _run_command, 2),
)
