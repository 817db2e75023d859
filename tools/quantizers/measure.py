"""Measures one case on one network: quantize, run every variant on the validation samples, judge."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from quantune_mlir.files.access import write_atomically
from tools.quantizers.cases import REFERENCE, Case
from tools.quantizers.data import Data
from tools.quantizers.launch import Limits, Step, StepFailed, run_worker
from tools.quantizers.results import CLOCKS, Row, seconds
from tools.quantizers.scores import Paired, centred_log_probabilities, centred_logits, predictions, sqnr_db

FEWER: Final = (1, 4, 10)
"""A case that fails is tried again with a fourth and a tenth of the samples: some quantizers keep them all."""

Outputs = dict[str, NDArray[np.float32]]
Scorer = Callable[[NDArray[np.float32]], float | None]


def measured(case: Case, data: Data, directory: Path, limits: Limits, samples: int, score: Scorer) -> dict[str, Any]:
    """All that is known of a case, as JSON holds it.

    Args:
        case: what to do.
        data: the network and its samples.
        directory: for what the case makes; emptied first.
        limits: of its processes.
        samples: of calibration.
        score: the metric of outputs, where they are not scored by labels.
    """
    row: dict[str, Any] = {"case": case.name, "load_before": os.getloadavg()[0], "failures": {}}
    for divisor in FEWER:
        count = samples // divisor
        try:
            step = _quantized(case, data, directory, limits, count)
        except StepFailed as failure:
            row["failures"][str(count)] = str(failure)
            continue
        try:
            return row | {"calibration_samples": count} | _judged(case, data, directory, limits, step, score)
        except StepFailed as failure:
            row["failures"][str(count)] = f"cannot be run: {failure}"
            break
    return row


def timed_again(row: Row, case: Case, data: Data, directory: Path, limits: Limits, turn: str) -> Row:
    """The row after one more pass: the times of the quicker one, the memory of the last.

    What is made is the same, and not kept. The pass is noted under `turn`, which all have that were measured in turns.
    """
    step = _quantized(case, data, directory, limits, row["calibration_samples"])
    again: Row = json.loads((directory / "quantized.json").read_text(encoding="utf-8"))
    shutil.rmtree(directory)
    quicker = min(row, again, key=lambda found: seconds(found, compiling=False))
    times = {clock: quicker[clock] for clock in CLOCKS}
    memory = {"peak_kib": again["peak_kib"], "tree_peak_kib": step.tree_peak_kib}
    now = {clock: seconds(again, compiling=False, clock=clock) for clock in CLOCKS}
    return row | times | memory | {"passes": row.get("passes", 1) + 1, "turns": row.get("turns", {}) | {turn: now}}


def reference_outputs(made: Path) -> Path:
    """Where the reference's outputs are: `made` holds a directory for each case of a network."""
    return made / REFERENCE / "fp32.npz"


def _quantized(case: Case, data: Data, directory: Path, limits: Limits, count: int) -> Step:
    """Quantizes with so many samples into the emptied directory. Raises StepFailed."""
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    return run_worker(limits, "quantize", case.name, data.directory, directory, count)


def _judged(case: Case, data: Data, directory: Path, limits: Limits, step: Step, score: Scorer) -> dict[str, Any]:
    row: dict[str, Any] = json.loads((directory / "quantized.json").read_text(encoding="utf-8"))
    chosen: list[str] = row["variants"]
    for variant in chosen:
        run_worker(limits, "run", case.name, data.directory, directory, variant)
    reference = _outputs(reference_outputs(directory.parent))
    variants: dict[str, Any] = {}
    for variant in chosen:
        outputs = _outputs(directory / f"{variant}.npz")
        variants[variant] = {"bytes": int(outputs.pop("bytes"))} | _scored(outputs, reference, data, score)
    return row | {"process_seconds": step.seconds, "tree_peak_kib": step.tree_peak_kib, "variants": variants}


def _scored(outputs: Outputs, reference: Outputs, data: Data, score: Scorer) -> dict[str, Any]:
    """Score, SQNR and answers of a variant beside the reference's."""
    row: dict[str, Any] = {"sqnr_db": sqnr_db(*_comparable(reference, outputs)), "finite": _finite(outputs)}
    if data.metric == "auc":
        return row | {"score": score(outputs["output"])}
    answers, before = predictions(outputs["output"]), predictions(reference["output"])
    row |= {
        "predictions": answers,
        "changed": int(np.not_equal(answers, before).sum()),
        "answers_tied": _tied(outputs["output"]),
    }
    labels = data.labels("val")
    if labels is None:
        return row
    paired = Paired.of(before, answers, labels.tolist())
    row |= {"score": float(np.equal(answers, labels).mean())}
    row |= {"lost": paired.lost, "won": paired.won, "p_value": paired.p_value}
    if "logits" in outputs:
        row["score_of_logits"] = float(np.equal(predictions(outputs["logits"]), labels).mean())
    return row


def _comparable(reference: Outputs, outputs: Outputs) -> tuple[NDArray[Any], NDArray[Any]]:
    """What the SQNR is of: before the softmax where there is one, else the output."""
    if "logits" not in reference:
        return reference["output"], outputs["output"]
    if "logits" in outputs:
        return centred_logits(reference["logits"]), centred_logits(outputs["logits"])
    return centred_logits(reference["logits"]), centred_log_probabilities(outputs["output"])


def _outputs(path: Path) -> Outputs:
    with np.load(path) as arrays:
        return dict(arrays)


def _finite(outputs: Outputs) -> bool:
    return bool(np.isfinite(outputs["output"]).all())


def _tied(outputs: NDArray[np.float32]) -> int:
    """Samples with more than one largest output."""
    return int(((outputs == outputs.max(axis=1, keepdims=True)).sum(axis=1) > 1).sum())


def write_row(path: Path, row: dict[str, Any]) -> None:
    """A row of its own file, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, (json.dumps(row, indent=1) + "\n").encode())
