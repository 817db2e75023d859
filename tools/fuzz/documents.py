"""Files that people write, and those that a run leaves: plans, targets, options, summaries."""

from __future__ import annotations

import json
import random
import shutil
import tempfile
from pathlib import Path
from typing import Any

from quantune_mlir.cli import quantize_command
from quantune_mlir.cli.config_file import commented, read
from quantune_mlir.files import resources
from quantune_mlir.hardware.targets import load_target
from quantune_mlir.kernels.isa.by_name import ISAS
from quantune_mlir.kernels.tiling.tuned_tiles import TunedTiles
from quantune_mlir.pipeline.parser import Pipeline
from quantune_mlir.planning.plan import PrecisionPlan
from quantune_mlir.planning.sensitivity import SensitivityList
from quantune_mlir.report.comparison import tables
from quantune_mlir.report.run import BENCH, EVALUATION, Run, read_latencies, read_scores
from quantune_mlir.report.summary_file import Summary
from quantune_mlir.workflow.artifacts import read_summary
from quantune_mlir.workflow.options import DEFAULTS, QuantizeOptions
from quantune_mlir.workflow.reports import comparison_bytes, report_bytes
from tools.fuzz.data import profile
from tools.fuzz.mutate import mutated_text, mutated_value
from tools.fuzz.surface import Surface


def _plan_seeds() -> list[bytes]:
    layer = b"{name: conv, op: Conv, precision: int8, reason: x}"
    return [b"format: 1\nmodel: abcd\npolicy: knee\ndefault: int8\nlayers:\n- " + layer]


def _sensitivity_seeds() -> list[bytes]:
    layer = "{name: a, op: Conv, index: 0, quantizable: true, macs: 9, weight_bytes: 4, elements: 3, mse: .inf}"
    return [f"format: 1\nmodel: ab\nsamples: 3\nmetric: mse\noptions: {{a: 1}}\nlayers:\n- {layer}\n".encode()]


def _tiles_seeds() -> list[bytes]:
    shape = "input: [1, 8, 8, 16], output: [8, 8, 16], kernel: [3, 3], stride: [1, 1], dilation: [1, 1], pad: [1, 1]"
    entry = f"{{precision: int8, {shape}, tile: [1, 4, 1], workgroup: [8, 8, 1], speedup: 1.1}}"
    return [f"format: 1\nisa: {isa}\nkernels:\n- {entry}\n".encode() for isa in ISAS]


def _target_seeds() -> list[bytes]:
    return [resources.target_text(name).encode() for name in resources.targets()]


def _config_seeds() -> list[bytes]:
    every = commented(quantize_command.command)
    given = "\n".join(line.removeprefix("# ") if ": " in line[:24] else line for line in every.splitlines())
    return [every.encode(), given.encode()]


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


def _comparison_seeds() -> list[bytes]:
    """A summary, scores and latencies in one file, so that they change together."""
    part = {"name": "y", "sqnr_db": 31.5}
    scores = {"mixed": {"samples": 9, "worst_sqnr_db": "inf", "parts": [part], "top1": 0.9, "score": None}}
    latencies = {"mixed": {"median_ms": 1.5, "p10_ms": 1.0, "p90_ms": 2.0, "runs": 30}}
    summary = json.loads(_report_seeds()[0])
    return [json.dumps({"summary": summary, "evaluation": scores, "bench": latencies}).encode()]


def _mutated_json(data: bytes, rng: random.Random) -> bytes:
    if rng.random() < 0.4:
        return mutated_text(data, rng)
    return json.dumps(mutated_value(json.loads(data), rng)).encode()


def _read_summary(path: Path) -> None:
    QuantizeOptions.from_dict(read_summary(path)["options"])  # type: ignore[arg-type]


def _report(path: Path) -> None:
    report_bytes(Run("net.onnx", Summary.load(path), profile()))


def _compare(path: Path) -> None:
    parts = _parts(path.read_bytes())
    folder = Path(tempfile.mkdtemp(prefix="fuzz-", dir=path.parent))
    try:
        for name, content in parts.items():
            (folder / name).write_bytes(content)
        summary = Summary.load(folder / "summary.json")
        scores, latencies = read_scores(folder / EVALUATION), read_latencies(folder / BENCH)
        runs = [Run("one", summary, None, scores, latencies), Run("other", summary)]
        tables(["one", "other"], runs)
        comparison_bytes(["one", "other"], runs)
    finally:
        shutil.rmtree(folder)


def _parts(data: bytes) -> dict[str, bytes]:
    """The files, of the content that their keys have; what is no JSON stands for all three."""
    names = {"summary": "summary.json", "evaluation": EVALUATION, "bench": BENCH}
    try:
        found: Any = json.loads(data)
        return {name: json.dumps(found[key]).encode() for key, name in names.items() if key in found}
    except (ValueError, TypeError, RecursionError):
        return dict.fromkeys(names.values(), data)


def _read_pipeline(path: Path) -> None:
    Pipeline.parse(path.read_text(encoding="utf-8", errors="replace"))


def _pipeline_seeds() -> list[bytes]:
    mixed = b"builtin.module(canonicalize,func.func(cse,canonicalize{max-iterations=3}),quantune-fold-constants)"
    return [mixed, *(resources.pipeline_text(name).encode() for name in resources.pipelines())]


DOCUMENTS = (
    Surface("plan", ".yaml", _plan_seeds, mutated_text, lambda path: PrecisionPlan.load(path), 10),
    Surface("sensitivity", ".yaml", _sensitivity_seeds, mutated_text, lambda path: SensitivityList.load(path), 10),
    Surface("tiles", ".yaml", _tiles_seeds, mutated_text, lambda path: TunedTiles.load(path), 10),
    Surface("target", ".toml", _target_seeds, mutated_text, lambda path: load_target(str(path)).compile_flags(), 10),
    Surface("config", ".yaml", _config_seeds, mutated_text, lambda path: read(path, quantize_command.command), 10),
    Surface("summary", ".json", _summary_seeds, _mutated_json, _read_summary, 10),
    Surface("report", ".json", _report_seeds, _mutated_json, _report, 10),
    Surface("comparison", ".json", _comparison_seeds, _mutated_json, _compare, 10),
    Surface("pipeline", ".pipeline", _pipeline_seeds, mutated_text, _read_pipeline, 10),
)
