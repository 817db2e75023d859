"""Runs side by side: the tables that the terminal and the page show alike."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from quantune_mlir.printable import printable
from quantune_mlir.report import figures, verdict
from quantune_mlir.report.json_numbers import json_number
from quantune_mlir.report.run import Run

_MISSING = "–"


@dataclass(frozen=True)
class Table:
    """Rows of text.

    Attributes:
        title: what it shows.
        head: the columns' titles.
        rows: cells.
        text: how many columns, from the left, are text and no numbers.
        optional: columns that a narrow terminal may leave out, by their place, the last first.
    """

    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    text: int = 1
    optional: tuple[int, ...] = ()


def named(directories: Sequence[Path]) -> list[str]:
    """What runs are called: the last parts of their paths, as many as tell them apart."""
    paths = [tuple(map(printable, path.resolve().parts)) for path in directories]
    longest = max(map(len, paths))
    for length in range(1, longest):
        names = ["/".join(parts[-length:]) for parts in paths]
        if len(set(names)) == len(names):
            return names
    return [printable(str(path)) for path in directories]


def tables(names: Sequence[str], runs: Sequence[Run]) -> list[Table]:
    """All tables that have something to tell."""
    found = (_outcome(names, runs), _parts(names, runs), _differences(names, runs), _layers(names, runs))
    return [table for table in found if table.rows]


def as_json(names: Sequence[str], runs: Sequence[Run]) -> dict[str, Any]:
    """The numbers behind the tables, by run; null where a run does not know."""
    return {name: _numbers(run) for name, run in zip(names, runs, strict=True)}


def _numbers(run: Run) -> dict[str, Any]:
    totals, score, latency = run.summary.totals, run.scores.get("mixed"), run.latencies.get("mixed")
    return {
        "int8_mac_share": totals.int8_mac_share,
        "fp32_layers": totals.layers - totals.int8_layers,
        **{field: None if score is None else getattr(score, field) for field in ("score", "top1", "agreement")},
        "worst_sqnr_db": json_number(verdict.verified_db(run)),
        "median_ms": None if latency is None else latency.median_ms,
        "predicted_time_of_fp32": _time_share(run),
        "mixed_program_bytes": totals.mixed_program_bytes,
        "parts": {part.name: json_number(part.measured_db) for part in verdict.parts(run)},
        "made_with": dict(_facts(run)),
        "precision": {layer.name: layer.precision for layer in run.summary.layers},
    }


def _outcome(names: Sequence[str], runs: Sequence[Run]) -> Table:
    columns: list[tuple[str, Callable[[Run], str], bool]] = [
        ("int8 MACs", lambda run: figures.percent(run.summary.totals.int8_mac_share), True),
        ("fp32 layers", lambda run: str(run.summary.totals.layers - run.summary.totals.int8_layers), True),
        ("score", lambda run: _score(run, "score"), False),
        ("top-1", lambda run: _score(run, "top1"), False),
        ("agreement", lambda run: _score(run, "agreement"), False),
        ("verified", lambda run: figures.decibels(verdict.verified_db(run)), False),
        ("latency", _latency, False),
        ("of fp32", _predicted, False),
        ("program", lambda run: figures.size(run.summary.totals.mixed_program_bytes), False),
    ]
    cells = [[write(run) for run in runs] for _, write, _ in columns]
    shown = [place for place, column in enumerate(cells) if any(cell != _MISSING for cell in column)]
    rows = tuple((name, *(cells[place][row] for place in shown)) for row, name in enumerate(names))
    optional = tuple(column + 1 for column, place in enumerate(shown) if columns[place][2])
    return Table("Outcome of the mixed networks", ("run", *(columns[p][0] for p in shown)), rows, optional=optional)


def _score(run: Run, field: str) -> str:
    score = run.scores.get("mixed")
    value = None if score is None else getattr(score, field)
    if value is None:
        return _MISSING
    return f"{value:.4g}" if field == "score" else figures.percent(value)


def _latency(run: Run) -> str:
    latency = run.latencies.get("mixed")
    return _MISSING if latency is None else figures.milliseconds(latency.median_ms)


def _predicted(run: Run) -> str:
    share = _time_share(run)
    return _MISSING if share is None else figures.percent(share)


def _time_share(run: Run) -> float | None:
    costs = run.summary.costs
    return None if costs is None or not costs.fp32.time else costs.mixed.time / costs.fp32.time


def _parts(names: Sequence[str], runs: Sequence[Run]) -> Table:
    measured = [{part.name: part.measured_db for part in verdict.parts(run)} for run in runs]
    every = dict.fromkeys(name for parts in measured for name in parts)
    rows = tuple((part, *(figures.decibels(parts.get(part)) for parts in measured)) for part in every)
    return Table("Noise of the outputs, measured: SQNR", ("part", *names), rows)


def _differences(names: Sequence[str], runs: Sequence[Run]) -> Table:
    facts = [dict(_facts(run)) for run in runs]
    every = dict.fromkeys(name for each in facts for name in each)
    values = {name: tuple(_written(each.get(name)) for each in facts) for name in every}
    rows = tuple((name, *told) for name, told in values.items() if len(set(told)) > 1)
    return Table("What they were made with, where it differs", ("", *names), rows, text=1 + len(names))


def _facts(run: Run) -> Iterator[tuple[str, Any]]:
    summary = run.summary
    yield "model", f"{summary.model.file} {summary.model.sha256[:12]}"
    yield "policy", summary.policy
    yield "samples seen", summary.inference_runs.get("samples")
    yield from ((name.replace("_", " "), value) for name, value in summary.options.items())
    yield "requantize as", summary.requantize
    yield from summary.versions.items()


def _written(value: Any) -> str:
    return "default" if value is None else str(value)


def _layers(names: Sequence[str], runs: Sequence[Run]) -> Table:
    formats = [{layer.name: layer.precision for layer in run.summary.layers} for run in runs]
    shared = [name for name in formats[0] if all(name in each for each in formats)]
    values = {name: tuple(each[name] for each in formats) for name in shared}
    rows = tuple((name, *told) for name, told in values.items() if len(set(told)) > 1)
    title = f"Layers in different formats: {len(rows)} of {len(shared)}"
    return Table(title, ("layer", *names), rows, text=1 + len(names))
