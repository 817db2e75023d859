"""All that a report shows of one run: what its output directory keeps."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Final

from pydantic import BaseModel, BeforeValidator, ConfigDict, TypeAdapter, ValidationError

from quantune_mlir.errors import OutputError
from quantune_mlir.files.access import MIB, read_file
from quantune_mlir.numerics.profile import Profile
from quantune_mlir.report.summary_file import Number, Summary

EVALUATION: Final = "evaluation.json"
BENCH: Final = "bench.json"
_LARGEST: Final = 64 * MIB


class _Read(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)


class PartScore(_Read):
    """The noise of one part of the outputs of one variant."""

    name: str
    sqnr_db: Number | None


class Score(_Read):
    """One variant in evaluation.json."""

    samples: int
    worst_sqnr_db: Number | None
    parts: tuple[PartScore, ...] = ()
    agreement: float | None = None
    top1: float | None = None
    score: float | None = None


class BenchedProgram(_Read):
    """One program in bench.json."""

    median_ms: float
    p10_ms: float
    p90_ms: float
    runs: int


Scores = Annotated[dict[str, Score], BeforeValidator(dict)]
Latencies = Annotated[dict[str, BenchedProgram], BeforeValidator(dict)]


@dataclass(frozen=True)
class Run:
    """One quantization.

    Attributes:
        name: what the run is called.
        summary: its summary.json.
        profile: its histograms; None if they are not wanted.
        scores: by variant, if it was evaluated.
        latencies: by program, if it was measured.
        digests: SHA-256 of its files, by name.
    """

    name: str
    summary: Summary
    profile: Profile | None = None
    scores: Mapping[str, Score] = field(default_factory=dict[str, Score])
    latencies: Mapping[str, BenchedProgram] = field(default_factory=dict[str, BenchedProgram])
    digests: Mapping[str, str] = field(default_factory=dict[str, str])


def read_scores(path: Path) -> dict[str, Score]:
    """What `quantune evaluate --json` wrote; nothing if there is no such file. Raises OutputError for anything else."""
    return _read(path, TypeAdapter(Scores), "evaluate")


def read_latencies(path: Path) -> dict[str, BenchedProgram]:
    """What `quantune bench --json` wrote; nothing if there is no such file. Raises OutputError for anything else."""
    return _read(path, TypeAdapter(Latencies), "bench")


def _read(path: Path, kind: TypeAdapter[Any], command: str) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        return kind.validate_python(json.loads(read_file(path, limit=_LARGEST, error=OutputError)))
    except (ValidationError, ValueError, RecursionError, TypeError) as error:
        raise OutputError(
            f"is not what `quantune {command} --json` writes: {str(error).splitlines()[0]}",
            where=str(path),
            remedy=f"write it again, or remove it: quantune {command} DIR --json {path}",
        ) from error
