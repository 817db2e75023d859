"""What `run` measured, as Markdown. Every number comes from a row; nothing is written by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from quantune_mlir.files.access import write_atomically
from tools.network_report import goal_table
from tools.quantizers import accuracy_tables, cost_tables
from tools.quantizers.goals import goals
from tools.quantizers.results import Results

_INTRODUCTION = """\
# Our quantizer beside others

Written by `python -m tools.quantizers report`; [tools/quantizers](../../tools/quantizers) says how each number comes
about. Every step runs in a process of its own, bound to one CPU; loading packages, and the tables that they build once,
is not timed. All get the same calibration samples (100 unless it says otherwise under failures) and run the same
validation samples. ORT is ONNX Runtime's `quantize_static` (QDQ, u8s8, `reduce_range` only where the CPU has no VNNI);
NNCF runs in OpenVINO, fp32 where there is no int8, oneDNN limited to the instructions that our programs use. ch:
weights per channel, t: per tensor. Score is top-1, and AUC for AD; networks without labels of their own run ImageNet
images.

{cpu}; {versions}. {load}"""
_SQNR = """\
Of the outputs against fp32's, dB. Of networks that end in a softmax, that of what it reads, less the mean over the
classes, which a softmax does not see (ours: from the logarithms of the outputs)."""
_PAIRED = """\
Validation samples that a quantized network gets right and fp32 wrong (+), and the reverse (−); in brackets the p-value
of McNemar's exact test where it is below 0.05. Networks without labels: how many samples get another answer than
fp32's. Ties: where the softmax is quantized too, several classes can share the largest output; the first counts."""
_BESIDE = "Our mixed networks beside others on the same samples: right only with ours (+), right only with theirs (−)."
_TIME = """\
Seconds. Work is all that is not compiling: reading and simplifying the model, the samples, two runs, plan, rewriting.
Ours compiles two programs to measure with, and then the result (and fp32 beside it) for deployment; the others compile
nothing, and their time is all of it. The ratios are ours over theirs, per channel; processor time is disturbed less by
whatever else runs."""
_MEMORY = """\
The most memory that a quantization had resident, MiB: the process itself, which holds Python and its packages, and in
brackets with the programs that it starts (ours: iree-compile). Samples are read from disk, one by one."""
_SIZE = "KiB of what is deployed: ours is a program with its kernels, the others' a model for a runtime that has them."
_LATENCY = "Median milliseconds, measured by `tools.network_bench`."
_SCHEMES = "Score, and in brackets the SQNR at the output in dB, of all int8 and of mixed."
_PLANS = "MACs in int8, and the layers that the default policy keeps in fp32 although they could be int8."


def write(directory: Path, file: Path, latency: Path | None) -> None:
    """The report on what `run` wrote to `directory`. Raises FileNotFoundError if there is nothing."""
    measured = json.loads(latency.read_text(encoding="utf-8")) if latency else None
    write_atomically(file, markdown(Results(directory), measured).encode())


def markdown(results: Results, latency: dict[str, Any] | None = None) -> str:
    """The whole report. `latency` is what `tools.network_bench` wrote."""
    parts = [
        _introduction(results),
        goal_table(goals(results)),
        *("## Accuracy", accuracy_tables.scores(results)),
        *("## Noise at the output", _SQNR, accuracy_tables.noise(results)),
        *("## Which samples changed", _PAIRED, accuracy_tables.changes(results)),
        *(_BESIDE, accuracy_tables.beside(results)),
        *("## Plans", _PLANS, accuracy_tables.plans(results)),
        *("## Schemes", _SCHEMES, accuracy_tables.schemes(results)),
        *(
            "## Time to quantize",
            _TIME + _passes(results),
            cost_tables.times(results),
            cost_tables.time_ratios(results),
        ),
        *("## Memory to quantize", _MEMORY, cost_tables.memory(results)),
        *("## Size", _SIZE, cost_tables.sizes(results)),
    ]
    if latency:
        parts += ["## Latency", _LATENCY, cost_tables.latencies(results, latency)]
    return "\n\n".join(parts + _failures(results)) + "\n"


def _passes(results: Results) -> str:
    """Which were measured in several passes, and what is made of these."""
    counts: dict[str, int] = {}
    for rows in results.rows.values():
        for name, row in rows.items():
            counts[name] = min(counts.get(name, row.get("passes", 1)), row.get("passes", 1))
    several = [f"{name} ({count})" for name, count in counts.items() if count > 1]
    if not several:
        return ""
    return (
        " Of several passes the quickest is shown, and ratios of work are medians over passes in turns; at least: "
        f"{', '.join(several)}."
    )


def _introduction(results: Results) -> str:
    about = results.machine
    versions = ", ".join(f"{name} {version}" for name, version in about["versions"].items() if version)
    loads = [row["load_before"] for rows in results.rows.values() for row in rows.values()]
    load = f"Load before each step: up to {max(loads):.1f}." if loads else ""
    return _INTRODUCTION.format(cpu=about["cpu"], versions=versions, load=load)


def _failures(results: Results) -> list[str]:
    lines = [
        f"- {network}, {case}, {samples} samples: {reason}"
        for network, rows in results.rows.items()
        for case, row in rows.items()
        for samples, reason in row["failures"].items()
    ]
    return ["## Failures", "Tried again with fewer samples, if there is a result.", "\n".join(lines)] if lines else []
