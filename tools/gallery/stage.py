"""One step of one network, in a process of its own, so that its memory is freed and it can be stopped.

    python -m tools.gallery.stage NETWORK STAGE --cache DIR

prints what it found as JSON: a result, or `refused` with the reason as the command line prints it.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import time
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import numpy as np

from quantune_mlir.backend.compilation import compile_program
from quantune_mlir.backend.program import Program
from quantune_mlir.errors import QuantuneError
from quantune_mlir.hardware.targets import load_target
from quantune_mlir.integer.integer_options import Granularity
from quantune_mlir.model import Model
from quantune_mlir.samples.sample_set import SampleSet
from quantune_mlir.workflow.artifacts import Artifacts
from quantune_mlir.workflow.comparison import compare
from quantune_mlir.workflow.evaluation import evaluate
from quantune_mlir.workflow.options import ANALYSIS_TARGET, QuantizeOptions
from quantune_mlir.workflow.quantization import quantize
from quantune_mlir.workflow.save import save
from quantune_mlir.workflow.scoring import Scorer
from quantune_mlir.workflow.variant import VARIANTS, Variant
from quantune_mlir.workflow.variants import Variants
from tools.cpu_seconds import cpu_seconds
from tools.gallery.entries import ENTRIES
from tools.gallery.entry import Entry
from tools.gallery.fetch import FetchError
from tools.gallery.material import Material
from tools.gallery.reference import Network

PEERS: Final = ("onnxruntime", "onnxruntime-int8")
_MEASURED: Final[tuple[Variant, ...]] = ("int8", "mixed")
_SECONDS: Final = 3.0
_PEERS_SAMPLES: Final = 8
"""What peers are quantized with: their speed does not depend on values."""


@dataclass(frozen=True)
class Case:
    """A network on this machine.

    Attributes:
        entry: which.
        cache: where packages and all that is made are kept.
        peers: what it is measured against.
    """

    entry: Entry
    cache: Path
    peers: tuple[str, ...]

    @cached_property
    def file(self) -> Path:
        """The model."""
        return self.entry.model(self.cache)

    def folder(self, weights: Granularity = "per-channel") -> Path:
        """What is made of it."""
        return self.cache / "work" / weights / self.entry.name.replace(" ", "-")

    @cached_property
    def samples(self) -> dict[str, dict[str, Any]]:
        """Arrays for `calibration` and `tests`."""
        count = self.entry.calibration
        made = self.entry.samples(Material(self.cache, self.file), count + self.entry.tests)
        parts = {"calibration": slice(count), "tests": slice(count, None)}
        return {part: {name: array[rows] for name, array in made.items()} for part, rows in parts.items()}

    def load(self) -> Model:
        """The imported model."""
        return Model.load(self.file, samples=self.samples["calibration"], **self.entry.imported)

    def quantized(self, weights: Granularity = "per-channel") -> dict[str, Any]:
        """Quantizes with default options but for these, from the model's file to all files written; the summary."""
        folder = self.folder(weights)
        shutil.rmtree(folder, ignore_errors=True)
        model = self.load()
        samples = SampleSet.open(self.samples["calibration"], model.inputs)
        return save(quantize(model, samples, QuantizeOptions(weights=weights)), folder, source=self.file)

    def variants(self, weights: Granularity = "per-channel") -> Variants:
        """The programs of the quantized model."""
        return Variants(Artifacts.open(self.folder(weights)))

    def evaluated(self, variants: Variants, compared: tuple[Variant, ...]) -> dict[str, Any]:
        """By variant the noise of the worst part of the outputs, and the task's score."""
        samples = SampleSet.open(self.samples["tests"], variants.model.inputs)
        found = evaluate(variants, samples, compared, scorer=Scorer(Path(__file__), self.entry.score)).scores
        return {variant: {"sqnr_db": each["worst_sqnr_db"], "score": each["score"]} for variant, each in found.items()}


def imported(case: Case) -> dict[str, Any]:
    """How far the fp32 program is from ONNX Runtime: the largest difference over the largest value, worst output."""
    model = case.load()
    program = Program(compile_program(model.module, load_target(ANALYSIS_TARGET)))
    reference = Network(case.file)
    fixed = {name: np.array(int(value)) for name, value in case.entry.imported.get("constants", {}).items()}
    differences: list[list[float]] = []
    values: list[list[float]] = []
    for run in SampleSet.open(case.samples["tests"], model.inputs):
        feeds = {spec.name: value for spec, value in zip(model.inputs, run, strict=True)}
        expected = reference({**feeds, **fixed}, case.entry.imported.get("outputs"))
        pairs = [(mine.reshape(true.shape), true) for mine, true in zip(program(*run), expected, strict=True)]
        differences.append([float(np.abs(mine.astype(np.float64) - true).max()) for mine, true in pairs])
        values.append([float(np.abs(true).max()) for _, true in pairs])
    return {"relative_error": float(np.max(np.max(differences, axis=0) / np.maximum(np.max(values, axis=0), 1e-30)))}


def quantized(case: Case) -> dict[str, Any]:
    """With default options, nothing compiled before."""
    _ = case.samples  # Making them is no part of it.
    start, before = time.perf_counter(), cpu_seconds()
    summary = case.quantized()
    took = {"seconds": time.perf_counter() - start, "cpu_seconds": cpu_seconds() - before}
    return {**took, "totals": summary["totals"], "warnings": summary["warnings"], "front": _front(summary)}


def _front(summary: Mapping[str, Any]) -> list[dict[str, float]]:
    """Plans worth having: multiply-accumulates in int8, predicted SQNR, time beside that of fp32."""
    macs, slowest = [layer["macs"] for layer in summary["layers"]], summary["costs"]["fp32"]["time"]
    return [
        {
            "int8_mac_share": 1 - sum(macs[layer] for layer in plan["fp32"]) / max(1, sum(macs)),
            "sqnr_db": float(plan["sqnr_db"]),
            "time": plan["time"] / slowest,
        }
        for plan in summary["front"]
        if plan["sqnr_db"] != "inf"
    ]


def evaluated(case: Case) -> dict[str, Any]:
    """The noise and the task's score."""
    return case.evaluated(case.variants(), _MEASURED)


def timed(case: Case) -> dict[str, Any]:
    """CPU time of the calls, on one thread, in turns: on a shared machine only that is the programs' own."""
    variants = case.variants()
    samples = SampleSet.open(case.samples["calibration"], variants.model.inputs).only(range(_PEERS_SAMPLES))
    compared = compare(
        variants, VARIANTS, case.peers, seconds=_SECONDS, model=case.file, calibration=samples, clock=time.thread_time
    )
    return {"latency": compared.as_dict(), "absent": compared.absent}


def per_tensor(case: Case) -> dict[str, Any]:
    """The mixed program's share of multiply-accumulates in int8, noise and score, with one scale for each weight."""
    summary = case.quantized("per-tensor")
    return {"totals": summary["totals"], **case.evaluated(case.variants("per-tensor"), ("mixed",))}


STAGES: Final[Mapping[str, Callable[[Case], dict[str, Any]]]] = {
    "import": imported,
    "quantize": quantized,
    "evaluate": evaluated,
    "bench": timed,
    "per-tensor": per_tensor,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("network", choices=ENTRIES)
    parser.add_argument("stage", choices=STAGES)
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--peers", nargs="*", default=PEERS)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    case = Case(ENTRIES[arguments.network], arguments.cache, tuple(arguments.peers))
    try:
        found = STAGES[arguments.stage](case)
    except QuantuneError as error:
        found = {"refused": str(error).replace(str(case.file), case.entry.source.name)}
    except FetchError as error:
        sys.exit(str(error))
    print(json.dumps(found))


if __name__ == "__main__":
    main()
