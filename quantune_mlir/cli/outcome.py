"""What `quantune quantize` says in the end: 80 columns, what matters first."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

from quantune_mlir.planning.decisions import Ground
from quantune_mlir.printable import printable
from quantune_mlir.report import figures, verdict
from quantune_mlir.report.run import Run

if TYPE_CHECKING:
    from quantune_mlir.backend.deliverables.qdq.export import QdqModel
    from quantune_mlir.report.summary_file import LayerRead

WIDTH: Final = 80
_MOST_PARTS: Final = 8
_MOST_NAMES: Final = 3


def outcome(run: Run) -> Iterator[str]:
    """The verdict, the noise of each output and what stays fp32: lines of at most 80 columns, but for longer names."""
    totals = run.summary.totals
    yield printable(run.name)
    yield (
        f"{figures.percent(totals.int8_mac_share)} of {figures.short(totals.macs)} multiply-accumulates in int8, "
        f"{totals.int8_layers} of {totals.layers} layers"
    )
    if totals.int16_layers:
        yield f"{figures.percent(totals.int16_mac_share)} in int16, {totals.int16_layers} layers"
    yield ""
    yield from _table(
        [
            ("", "fp32", "int8", "mixed"),
            *((_short(row.title), row.fp32, row.int8, row.mixed) for row in verdict.rows(run)),
        ]
    )
    parts = verdict.parts(run)
    if parts:
        yield ""
        yield from _table(list(_noise(parts[:_MOST_PARTS])))
        if len(parts) > _MOST_PARTS:
            yield f"and {len(parts) - _MOST_PARTS} parts with less noise"
    yield ""
    for precision in ("int16", "int16x16", "fp32"):
        yield from _kept(run, precision)
    yield _time(run)


def _noise(parts: Sequence[verdict.PartNoise]) -> Iterator[tuple[str, ...]]:
    """Rows of a table; what other samples may have is a column where noise is uneven."""
    uneven = any(part.uneven for part in parts)
    others = ("on others",) if uneven else ()
    yield "noise of the outputs, the noisiest first: SQNR", "measured", *others, "predicted"
    for part in parts:
        likely = figures.decibels(part.likely_db)
        others = (likely if part.likely_db is None else f"> {likely}",) if uneven else ()
        yield _named(part), figures.decibels(part.measured_db), *others, figures.decibels(part.predicted_db)


def _named(part: verdict.PartNoise) -> str:
    return printable(part.name) if part.judged else f"{printable(part.name)} (not judged)"


def _short(title: str) -> str:
    return title.replace(" of the worst part of the outputs, SQNR", ", worst part: SQNR")


def _table(rows: list[tuple[str, ...]]) -> Iterator[str]:
    """Rows, the first column aligned to the left; two spaces apart."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for first, *others in rows:
        cells = [first.ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(others, widths[1:], strict=True))]
        yield "  ".join(cells).rstrip()


def _kept(run: Run, precision: str) -> Iterator[str]:
    """The layers that are not int8, those kept for their noise first, then those with the most work."""
    kept = [layer for layer in run.summary.layers if layer.precision == precision and (_rank(layer) or layer.macs)]
    if not kept:
        return
    kept.sort(key=lambda layer: (_rank(layer) or math.inf, -layer.macs))
    names = [printable(layer.name) for layer in kept]
    several = ((names[:shown], len(names) - shown) for shown in range(min(_MOST_NAMES, len(names)), 0, -1))
    told = (f"{', '.join(first)}{f' and {rest} more' if rest else ''}" for first, rest in several)
    lines = (f"kept in {precision}: {named}" for named in told)
    yield next((line for line in lines if len(line) <= WIDTH), f"kept in {precision}: {len(kept)} layers")


def _rank(layer: LayerRead) -> int | None:
    """How many layers bring as much noise, where that is why it is not int8."""
    return layer.decision.rank if layer.decision and layer.decision.ground == Ground.BUYS else None


def _time(run: Run) -> str:
    runs, seconds = run.summary.inference_runs, run.summary.timings_s
    compiling = sum(value for name, value in seconds.items() if name.startswith("compile_"))
    verified = "" if run.summary.verification is None else f", verified over {run.summary.verification.samples}"
    return (
        f"{runs.get('samples', 0)} samples, int8 over {runs.get('int8_samples', 0)}{verified}; "
        f"{figures.seconds(sum(seconds.values()))}, compiling {figures.seconds(compiling)}"
    )


def left_in_fp32(model: QdqModel) -> Iterator[str]:
    """Which int8 layers of the plan a QDQ ONNX model leaves in fp32: a warning, if there are any."""
    if model.left_in_fp32:
        yield f"in fp32, as no ONNX node has their weights: {', '.join(model.left_in_fp32)}"
