"""report.html of a quantization in memory, or of an output directory."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from quantune_mlir.numerics.profile import Profile
from quantune_mlir.report.page import page, side_by_side
from quantune_mlir.report.run import BENCH, EVALUATION, Run, read_latencies, read_scores
from quantune_mlir.report.summary_file import Summary
from quantune_mlir.workflow.artifacts import MIXED, PLAN, PROFILE, PROGRAM, SENSITIVITY, SUMMARY, Artifacts

_DIGESTED = (PLAN, SENSITIVITY, PROFILE, MIXED, PROGRAM)


def open_run(directory: Path | str, *, profiled: bool = True) -> Run:
    """What an output directory keeps of its run, with evaluation.json and bench.json if it holds them.

    Args:
        directory: what `quantune quantize` wrote.
        profiled: whether histograms are wanted.

    Raises:
        OutputError: it is none, or a file of it cannot be read.
        DataError: its profile cannot be read.
    """
    artifacts = Artifacts.open(directory)
    summary = Summary.load(artifacts[SUMMARY])
    return Run(
        summary.model.file or artifacts.directory.name,
        summary,
        Profile.load(artifacts[PROFILE]) if profiled else None,
        read_scores(artifacts[EVALUATION]),
        read_latencies(artifacts[BENCH]),
        digests(artifacts),
    )


def digests(artifacts: Artifacts) -> dict[str, str]:
    """SHA-256 of what an output directory holds, by name."""
    files = {name: artifacts[name] for name in _DIGESTED}
    return {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in files.items() if path.is_file()}


def run_of(summary: Mapping[str, Any], profile: Profile, artifacts: Artifacts | None = None) -> Run:
    """What has just been made, from the content of its summary.json."""
    read = Summary.model_validate(json.loads(json.dumps(summary)))
    return Run(read.model.file, read, profile, digests={} if artifacts is None else digests(artifacts))


def report_bytes(run: Run) -> bytes:
    """The report's file; what no UTF-8 can hold is written as Python would."""
    return page(run).encode("utf-8", "backslashreplace")


def comparison_bytes(names: Sequence[str], runs: Sequence[Run]) -> bytes:
    """The file of several runs side by side."""
    return side_by_side(names, runs).encode("utf-8", "backslashreplace")
