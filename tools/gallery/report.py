"""docs/gallery.md, from the rows that `run` wrote."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from quantune_mlir.files.access import write_atomically
from quantune_mlir.numerics.parts import LEAST_DB
from tools.gallery.entries import ENTRIES
from tools.gallery.entry import Entry
from tools.markdown import MISSING, number, table

Row = Mapping[str, Mapping[str, Any]]

QUIET: Final = 0.75
"""The load below which nobody else's work disturbs a measurement much."""
MOST_MACS: Final = 0.6
"""So many in int8 are asked for."""
_PROGRAMS: Final = ("fp32", "int8", "mixed", "onnxruntime", "onnxruntime-int8")
_HEAD: Final = """# Networks out of published packages

Made by `python -m tools.gallery`: networks out of packages on PyPI and npm, held to their hashes, quantized with
default options. Nothing of them is part of this repository. Inputs are prepared as the packages do it, from
photographs that come with scikit-learn and scikit-image, text rendered by Pillow, speech by {speech}, and the files of
the Python installation; [below](#inputs) is what is made of them. Samples to evaluate with are others than those to
quantize with, but out of the same few sources.

Below them are architectures that no package has a file of, with weights at random: torchvision's and timm's, and a
BERT, a block of a Conformer and an encoder like Whisper's as `tools/gallery/torch_networks.py` writes them, exported
by PyTorch ("dynamo": by the newer of its two exporters). Networks at random amplify noise more than trained ones do,
and their classes are near each other.
"""


def failure(outcome: Mapping[str, Any]) -> str | None:
    """Why a step has no result; None if it has one."""
    return outcome.get("refused") or outcome.get("failed")


def write(rows: Path, output: Path) -> None:
    """Writes the page."""
    write_atomically(output, markdown(json.loads(rows.read_text(encoding="utf-8"))).encode())


def markdown(results: Mapping[str, Any]) -> str:
    """The page."""
    rows: dict[str, Row] = {name: results["networks"][name] for name in ENTRIES if name in results["networks"]}
    sections = (
        _HEAD.format(speech=results["speech"]),
        "## What comes out",
        "Score and SQNR are beside fp32: the SQNR is that of the worst part of the outputs, in dB. The import's error "
        "is the largest difference from ONNX Runtime's fp32 over the largest value, of the worst output.",
        "Per tensor is with one scale for each weight instead of one for each of its channels "
        "(`--granularity per-tensor`).",
        table(_ACCURACY, (_accuracy(ENTRIES[name], row) for name, row in rows.items())),
        *_below(rows),
        "## Time",
        _circumstances(results, rows),
        table(_TIMES, [*(_times(ENTRIES[name], row) for name, row in rows.items()), *_means(rows)]),
        *_refusals(rows),
        "## Inputs",
        "\n".join(f"- **{ENTRIES[name].name}**: {_inputs(ENTRIES[name])}" for name in rows),
    )
    return "\n\n".join(section.strip() for section in sections) + "\n"


_ACCURACY: Final = (
    "network", "task", "MMAC", "import's error", "MACs in int8", "int8 dB", "mixed dB", "score", "int8", "mixed",
    "per tensor: MACs in int8", "mixed dB", "mixed"
)  # fmt: skip
_RATIOS: Final = (("mixed", "fp32"), ("mixed", "onnxruntime"), ("int8", "onnxruntime-int8"))
_TIMES: Final = (
    "network", "fp32 ms", "int8 ms", "mixed ms", "ONNX Runtime ms", "its int8 ms", "mixed / fp32",
    "mixed / ONNX Runtime", "int8 / its int8", "to quantize, CPU s"
)  # fmt: skip


def _accuracy(entry: Entry, row: Row) -> list[str]:
    totals = _of(row, "quantize", "totals")
    error = _of(row, "import", "relative_error")
    noise = [_of(row, "evaluate", variant, "sqnr_db") for variant in ("int8", "mixed")]
    scores = [_of(row, "evaluate", variant, "score") for variant in ("int8", "mixed")]
    per_tensor = row.get("per-tensor", {})
    return [
        entry.name,
        entry.task,
        number(totals["macs"] / 1e6, 1) if totals else MISSING,
        f"{error:.0e}" if error is not None else MISSING,
        _share(totals),
        *map(_decibels, noise),
        entry.metric,
        *(number(each, 2) for each in scores),
        _share(per_tensor.get("totals")),
        _decibels(_of(per_tensor, "mixed", "sqnr_db")),
        number(_of(per_tensor, "mixed", "score"), 2),
    ]


def _below(rows: Mapping[str, Row]) -> Iterable[str]:
    """What the front has of networks whose mixed program is below LEAST_DB, or has less than MOST_MACS in int8."""
    found: list[str] = []
    for name, row in rows.items():
        share, noise = _of(row, "quantize", "totals", "int8_mac_share"), _of(row, "evaluate", "mixed", "sqnr_db")
        if share is None or noise is None or (float(noise) >= LEAST_DB and share >= MOST_MACS):
            continue
        plans = [plan for plan in row["quantize"].get("front", ()) if plan["int8_mac_share"] >= MOST_MACS]
        steps = max(1, len(plans) // 4)
        shown = "; ".join(
            f"{100 * plan['int8_mac_share']:.0f} %: {plan['sqnr_db']:.1f} dB, {plan['time']:.2f} of fp32's time"
            for plan in plans[::-1][::steps][::-1]
        )
        found.append(f"- **{ENTRIES[name].name}** ({_decibels(noise)} dB, {100 * share:.0f} %): {shown or 'none'}")
    if found:
        yield f"### Below {LEAST_DB:.0f} dB, or with less than {100 * MOST_MACS:.0f} % of the MACs in int8"
        yield (
            f"Of each the front's plans with {100 * MOST_MACS:.0f} % of the MACs in int8 or more, some of many, as "
            "predicted from the samples to quantize with:"
        )
        yield "\n".join(found)


def _share(totals: Mapping[str, Any] | None) -> str:
    return f"{100 * totals['int8_mac_share']:.0f} %" if totals else MISSING


def _decibels(noise: float | str | None) -> str:
    return noise if isinstance(noise, str) else number(noise, 1)


def _times(entry: Entry, row: Row) -> list[str]:
    return [
        entry.name,
        *(_milliseconds(_median(row, program)) for program in _PROGRAMS),
        *(number(ratio(row, *programs), 2) for programs in _RATIOS),
        number(_of(row, "quantize", "cpu_seconds"), 0),
    ]


def ratio(row: Row, program: str, other: str) -> float | None:
    """The time of one program over another's; None where they were not measured."""
    mine, others = _median(row, program), _median(row, other)
    return mine / others if mine is not None and others is not None else None


def _median(row: Row, program: str) -> float | None:
    """Milliseconds."""
    return _of(row, "bench", "latency", program, "median_ms")


def _means(rows: Mapping[str, Row]) -> Iterable[list[str]]:
    for attends, what in ((False, "convolutions"), (True, "attention or recurrence")):
        cells = [f"geometric mean, {what}", *[MISSING] * len(_PROGRAMS)]
        for programs in _RATIOS:
            found = (ratio(row, *programs) for name, row in rows.items() if ENTRIES[name].attends == attends)
            known = [math.log(each) for each in found if each is not None]
            cells.append(number(math.exp(sum(known) / len(known)) if known else None, 2))
        yield [*cells, MISSING]


def _circumstances(results: Mapping[str, Any], rows: Mapping[str, Row]) -> str:
    loads = [load for row in rows.values() if (load := _of(row, "bench", "load_before")) is not None]
    versions = ", ".join(f"{name} {version}" for name, version in results["machine"]["versions"].items() if version)
    text = (
        f"{results['machine']['cpu']}; {versions}. CPU time on one thread; medians of rounds in which every program "
        "has its turn; ratios below 1 say that the first is the quicker. ONNX Runtime's int8 is static QDQ, per "
        "channel where it can, the quicker of its two types of activations. The time to quantize is of a first time, "
        "with nothing compiled before, all cores together."
    )
    if loads and max(loads) > QUIET:
        text += (
            f" **The machine was shared**: its load before a network was {min(loads):.1f} to {max(loads):.1f}. What "
            "others leave in the caches disturbs, so that milliseconds are too many; the ratios suffer less."
        )
    return text


def _refusals(rows: Mapping[str, Row]) -> Iterable[str]:
    found = [
        f"- **{ENTRIES[name].name}**, {stage}: {_sentence(reason)}"
        for name, row in rows.items()
        for stage, outcome in row.items()
        for reason in _reasons(outcome)
    ]
    if found:
        yield "## What cannot go through"
        yield "\n".join(found)


def _reasons(outcome: Mapping[str, Any]) -> Iterable[str]:
    if reason := failure(outcome):
        yield reason
    for peer, why in outcome.get("absent", {}).items():
        yield f"without {peer}: {why}"


def _inputs(entry: Entry) -> str:
    return f"{_sentence(entry.samples.__doc__ or '')} {entry.calibration} to quantize, {entry.tests} to evaluate."


def _sentence(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _milliseconds(value: float | None) -> str:
    return MISSING if value is None else f"{value:.3g}" if value < 100 else f"{value:.0f}"


def _of(row: Row, *path: str) -> Any:
    """What lies at a path in a row; None if it has no such thing."""
    found: Any = row
    for name in path:
        if not isinstance(found, Mapping) or name not in found:
            return None
        found = found[name]
    return found
