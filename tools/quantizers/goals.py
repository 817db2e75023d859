"""The goals that these measurements speak to, with what was reached."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from typing import Final

from tools.network_report import Goal
from tools.quantizers.cases import GRANULARITIES
from tools.quantizers.columns import (
    FP32,
    MAX_DROP,
    MIXED,
    NNCF_CONTROL,
    NNCF_DEFAULT,
    STATIC,
    Column,
    against,
)
from tools.quantizers.results import Results, Row, seconds

SIGNIFICANT: Final = 0.05
"""Below this p-value, fewer right answers are not put down to chance."""
_INT8_MACS: Final = {"per-channel": 0.95, "per-tensor": 0.60}


def ratios(
    results: Results, column: Column, other: Column, measure: Callable[[Row], float], samples: bool = True
) -> dict[str, float]:
    """Ours over another's, by network, where both were measured, and (`samples`) on as many samples."""
    found: dict[str, float] = {}
    for network in results.networks:
        row, beside = results.row(network, column.case), results.row(network, other.case)
        if row and beside and (not samples or row["calibration_samples"] == beside["calibration_samples"]):
            found[network] = measure(row) / measure(beside)
    return found


def work(row: Row, clock: str = "seconds") -> float:
    """Seconds of a quantization without compiling: analysis and plan. Peers compile nothing.

    Those of the processor (`clock` "cpu_seconds") other programs disturb less.
    """
    return seconds(row, compiling=False, clock=clock)


def in_turns(results: Results, column: Column, other: Column, clock: str = "seconds") -> dict[str, float]:
    """Work over another's: the median over passes in which both had their turns, the quickest ones if there is none."""
    found = ratios(results, column, other, lambda row: work(row, clock))
    for network in found:
        ours, theirs = (results.rows[network][each.case.name].get("turns", {}) for each in (column, other))
        pairs = [ours[turn][clock] / theirs[turn][clock] for turn in ours if turn in theirs]
        if pairs:
            found[network] = statistics.median(pairs)
    return found


def with_analysis_programs(row: Row) -> float:
    """`work`, and compiling the two programs that measure."""
    return work(row) + sum(value for stage, value in row["seconds"].items() if stage.startswith("compile run"))


def everything(row: Row) -> float:
    """All stages up to the deployable file."""
    return work(row) + seconds(row, compiling=True)


def goals(results: Results) -> list[Goal]:
    """All, with what was measured so far. Times are those of weights per channel."""
    mixed, entropy = MIXED["per-channel"], STATIC["entropy", "per-channel"]
    searched = ratios(results, MAX_DROP["per-channel"], NNCF_CONTROL, work)
    reverting = {network: value for network, value in searched.items() if _reverted(results, network)}
    found = [
        Goal("analysis and plan over ONNX Runtime's entropy calibration", in_turns(results, mixed, entropy), 0.2),
        Goal("the same in processor time", in_turns(results, mixed, entropy, "cpu_seconds"), 0.2),
        Goal("analysis and plan over NNCF's default", in_turns(results, mixed, NNCF_DEFAULT), 1.0),
        Goal("the same in processor time", in_turns(results, mixed, NNCF_DEFAULT, "cpu_seconds"), 1.0),
        Goal("max-drop over NNCF's accuracy control, where that reverts", reverting, 0.33, summary="largest"),
        Goal("peak memory over NNCF's", ratios(results, mixed, NNCF_DEFAULT, _own_peak), 1.0, summary="largest"),
        Goal("the same with iree-compile", ratios(results, mixed, NNCF_DEFAULT, _peak), 1.0, summary="largest"),
    ]
    for granularity in GRANULARITIES:
        ours = MIXED[granularity]
        shares = {
            network: row["details"]["int8_mac_share"]
            for network in results.networks
            if (row := results.row(network, ours.case))
        }
        middle = {"median of all": statistics.median(shares.values())} if shares else {}
        found += [
            Goal(f"{granularity}: points below fp32", _drops(results, ours, "top1", 100), 0.5, summary="largest"),
            Goal(f"{granularity}: AUC below fp32's", _drops(results, ours, "auc", 1), 0.005, summary="largest"),
            Goal(f"{granularity}: MACs in int8", middle, _INT8_MACS[granularity], above=True, summary="smallest"),
        ]
        for other in (STATIC["entropy", granularity], NNCF_DEFAULT):
            name = f"{granularity}: significantly fewer right than {other.title}, networks"
            found.append(Goal(name, _losses(results, ours, other), 0, summary="largest"))
    return found


def _own_peak(row: Row) -> float:
    return row["peak_kib"]


def _peak(row: Row) -> float:
    return max(row["peak_kib"], row["tree_peak_kib"])


def _reverted(results: Results, network: str) -> bool:
    row = results.row(network, NNCF_CONTROL.case)
    return bool(row and row["details"]["reverted_operations"])


def _drops(results: Results, column: Column, metric: str, scale: float) -> dict[str, float]:
    found: dict[str, float] = {}
    for network, rows in results.rows.items():
        ours, fp32 = column.of(results, network), FP32.of(results, network)
        if ours and fp32 and ours.get("score") is not None and next(iter(rows.values()))["metric"] == metric:
            found[network] = scale * (fp32["score"] - ours["score"])
    return found


def _losses(results: Results, column: Column, other: Column) -> dict[str, float]:
    """1 where a peer has significantly more right, else 0."""
    found: dict[str, float] = {}
    for network in results.networks:
        ours, theirs = column.of(results, network), other.of(results, network)
        if ours and theirs and "lost" in ours and "lost" in theirs:
            paired = against(ours, theirs)
            found[network] = float(len(paired.lost) > len(paired.won) and paired.p_value < SIGNIFICANT)
    return found
