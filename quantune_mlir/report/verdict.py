"""What a run came to, in one line and one table: accuracy, noise, latency and size, beside fp32 and uniform int8."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from quantune_mlir.numerics.parts import LEAST_DB
from quantune_mlir.report import figures
from quantune_mlir.report.run import Run, Score

VARIANTS: Final = ("fp32", "int8", "mixed")
UNKNOWN: Final = "–"
UNEVEN_DB: Final = 3.0
"""By so much less than was measured other samples may have before it is shown."""
_LATENCY: Final = "latency"


@dataclass(frozen=True)
class Row:
    """One quantity of the three variants; `UNKNOWN` where nothing was measured or predicted."""

    title: str
    fp32: str
    int8: str
    mixed: str


@dataclass(frozen=True)
class PartNoise:
    """The noise of a part of the outputs, SQNR in dB: measured, what others hardly fall below, predicted.

    `judged`: whether it tells of the plan.
    """

    name: str
    signal: str
    judged: bool
    measured_db: float | None
    likely_db: float | None
    predicted_db: float | None

    @property
    def doubtful(self) -> bool:
        """Whether it is judged, and was measured below LEAST_DB."""
        return self.judged and self.measured_db is not None and self.measured_db < LEAST_DB

    @property
    def uneven(self) -> bool:
        """Whether few of the samples make so much of the noise that others may have UNEVEN_DB less."""
        if self.measured_db is None or self.likely_db is None:
            return False
        return self.measured_db - self.likely_db > UNEVEN_DB


def parts(run: Run) -> list[PartNoise]:
    """The parts of the outputs, the noisiest first; those that are not judged last."""
    verification = run.summary.verification
    if verification is None:
        return []
    found = [
        PartNoise(p.name, p.signal, p.judged, p.measured_sqnr_db, p.likely_sqnr_db, p.predicted_sqnr_db)
        for p in verification.parts
    ]
    return sorted(found, key=lambda part: (not part.judged, part.measured_db is None, part.measured_db or 0.0))


def verified_db(run: Run) -> float | None:
    """SQNR of the mixed network's worst part of those that are judged, measured."""
    return min((p.measured_db for p in parts(run) if p.judged and p.measured_db is not None), default=None)


def line(run: Run) -> str:
    """The verdict."""
    totals = run.summary.totals
    told = [f"{figures.percent(totals.int8_mac_share)} of the multiply-accumulates in int8"]
    accuracy = next(_accuracy(run), None)
    if accuracy is not None:
        told.append(f"{accuracy.title} {accuracy.mixed} (fp32 {accuracy.fp32}, int8 {accuracy.int8})")
    noise = _noise(run)
    if noise.mixed != UNKNOWN:
        beside = "" if noise.int8 == UNKNOWN else f" (int8 throughout {noise.int8})"
        told.append(f"worst part of the outputs {noise.mixed}{beside}")
    told += _speed(run)
    if totals.mixed_program_bytes:
        fp32 = figures.size(totals.fp32_program_bytes)
        told.append(f"program {figures.size(totals.mixed_program_bytes)} (with fp32 weights {fp32})")
    return "; ".join(told) + "."


def _speed(run: Run) -> Iterator[str]:
    time = next(_time(run), None)
    if time is None:
        return
    if time.title == _LATENCY:
        yield f"latency {time.mixed} (fp32 {time.fp32}, int8 {time.int8})"
    else:
        yield f"predicted to take {time.mixed} of fp32's time (int8 throughout {time.int8})"


def rows(run: Run) -> list[Row]:
    """The table."""
    return [*_accuracy(run), _noise(run), *_time(run), *_constants(run)]


def _accuracy(run: Run) -> Iterator[Row]:
    """What `evaluate` found, the most telling first."""
    for field, title in (("score", "score"), ("top1", "top-1"), ("agreement", "agreement with fp32")):
        values = [_of(run.scores.get(variant), field) for variant in VARIANTS]
        if any(value is not None for value in values):
            write = (lambda value: f"{value:.4g}") if field == "score" else figures.percent
            yield Row(title, *(UNKNOWN if value is None else write(value) for value in values))


def _of(score: Score | None, field: str) -> float | None:
    return None if score is None else getattr(score, field)


def _noise(run: Run) -> Row:
    int8, measured = run.scores.get("int8"), run.scores.get("mixed")
    predicted = [part.int8_sqnr_db for part in run.summary.predicted]
    if int8 is not None:
        beside = figures.decibels(int8.worst_sqnr_db)
    else:
        beside = f"{figures.decibels(min(predicted))} predicted" if predicted else UNKNOWN
    mixed = figures.decibels(verified_db(run) if measured is None else measured.worst_sqnr_db)
    if mixed == UNKNOWN and run.summary.predicted:
        mixed = f"{figures.decibels(min(part.mixed_sqnr_db for part in run.summary.predicted))} predicted"
    return Row("noise of the worst part of the outputs, SQNR", "exact", beside, mixed)


def _time(run: Run) -> Iterator[Row]:
    if all(variant in run.latencies for variant in VARIANTS):
        yield Row(_LATENCY, *(figures.milliseconds(run.latencies[variant].median_ms) for variant in VARIANTS))
    costs = run.summary.costs
    if costs is not None and costs.fp32.time:
        times = (figures.percent(each.time / costs.fp32.time) for each in (costs.fp32, costs.int8, costs.mixed))
        yield Row("predicted time, of fp32's", *times)


def _constants(run: Run) -> Iterator[Row]:
    costs = run.summary.costs
    if costs is not None:
        yield Row("weights", *(figures.size(each.bytes) for each in (costs.fp32, costs.int8, costs.mixed)))
    totals = run.summary.totals
    if totals.mixed_program_bytes:
        fp32 = f"{figures.size(totals.fp32_program_bytes)} estimated"
        yield Row("compiled program", fp32, UNKNOWN, figures.size(totals.mixed_program_bytes))
