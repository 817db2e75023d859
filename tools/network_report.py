"""What `network_bench` measured, as Markdown: a table for each target, and the goals with what was reached."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from tools.markdown import table

Rows = Mapping[str, Mapping[str, Any]]
"""By network, what `network_row` wrote."""

HOST: Final = "host"
AVX2: Final = "x86-64-avx2"
LARGE_MACS: Final = 10_000_000
"""Networks below are left out where int8 is compared with fp32: calls and dispatches decide there."""
OURS: Final = ("fp32", "int8", "mixed")


@dataclass(frozen=True)
class Goal:
    """A goal, and what was reached.

    Attributes:
        name: which, in words.
        values: what was measured, by network.
        limit: on the summary of the values.
        above: the summary shall be at least the limit; else at most.
        summary: "geometric mean", "largest" or "smallest".
    """

    name: str
    values: Mapping[str, float]
    limit: float
    above: bool = False
    summary: str = "geometric mean"

    @property
    def reached(self) -> float | None:
        """The summary of the values; None where nothing was measured."""
        if not self.values:
            return None
        return _SUMMARIES[self.summary](list(self.values.values()))

    @property
    def met(self) -> bool | None:
        """None where nothing was measured."""
        if self.reached is None:
            return None
        return self.reached >= self.limit if self.above else self.reached <= self.limit


def geometric_mean(values: Sequence[float]) -> float:
    """The geometric mean of positive numbers."""
    return math.exp(sum(map(math.log, values)) / len(values))


_SUMMARIES: Final[dict[str, Callable[[Sequence[float]], float]]] = {
    "geometric mean": geometric_mean,
    "largest": max,
    "smallest": min,
}


def ratios(rows: Rows, variant: str, peer: str) -> dict[str, float]:
    """Our time over a peer's, by network, of those where the peer was measured."""
    found: dict[str, float] = {}
    for network, row in rows.items():
        against = row["latency"][variant].get("against", {})
        if peer in against:
            found[network] = against[peer]["median"]
    return found


def inverted(values: Mapping[str, float]) -> dict[str, float]:
    """How many times as quick, from ratios of times."""
    return {name: 1 / value for name, value in values.items()}


def int8_over_fp32(rows: Rows, *, least_macs: int = 0) -> dict[str, float]:
    """Our int8's time over our fp32's, by network."""
    return {name: row["int8_over_fp32"]["median"] for name, row in rows.items() if row["macs"] >= least_macs}


def scaling(rows: Rows, variant: str) -> dict[str, float]:
    """How many times as quick two threads are, by network."""
    return {name: row["scaling"][variant]["median"] for name, row in rows.items() if row["scaling"]}


def memory(rows: Rows, name: str, other: str) -> dict[str, float]:
    """Peak resident memory of one over that of another, Python's own left out, by network."""
    return {
        network: _taken(row["peak_rss"][name]) / _taken(row["peak_rss"][other])
        for network, row in rows.items()
        if name in row["peak_rss"] and other in row["peak_rss"]
    }


def goals(targets: Mapping[str, Rows]) -> list[Goal]:
    """All of them, with what was measured so far."""
    host, avx2 = targets.get(HOST, {}), targets.get(AVX2, {})
    size = {name: row["bytes"]["int8"] / row["bytes"]["fp32"] for name, row in host.items() if name == "resnet18_v1"}
    ort_int8 = ratios(host, "int8", "onnxruntime-int8")
    return [
        Goal("int8 time over ONNX Runtime int8's", ort_int8, 0.55),
        Goal("int8 time over ONNX Runtime int8's", ort_int8, 1.0, summary="largest"),
        Goal("int8 time over OpenVINO int8's", ratios(host, "int8", "openvino-int8"), 0.90),
        Goal("fp32 time over ONNX Runtime fp32's", ratios(host, "fp32", "onnxruntime"), 0.85),
        Goal("fp32 quicker than stock IREE, times", inverted(ratios(host, "fp32", "iree")), 6, above=True),
        Goal("int8 quicker than stock IREE, times", inverted(ratios(host, "int8", "iree")), 15, above=True),
        Goal(
            "int8 quicker than fp32, times, from 10 MMAC",
            inverted(int8_over_fp32(host, least_macs=LARGE_MACS)),
            2.2,
            above=True,
        ),
        Goal("int8 time over fp32's", int8_over_fp32(host), 1.0, summary="largest"),
        Goal("AVX2: int8 quicker than fp32, times", inverted(int8_over_fp32(avx2)), 1.4, above=True),
        Goal("AVX2: int8 time over OpenVINO int8's", ratios(avx2, "int8", "openvino-int8"), 1.0),
        *(
            Goal(
                f"{variant} on two threads, times as quick", scaling(host, variant), 1.7, above=True, summary="smallest"
            )
            for variant in ("fp32", "int8")
        ),
        Goal("size of ResNet-18's int8 program over fp32's", size, 0.30),
        Goal("fp32 memory over ONNX Runtime's", memory(host, "fp32", "onnxruntime"), 1.0, summary="largest"),
        Goal("int8 memory over ONNX Runtime int8's", memory(host, "int8", "onnxruntime-int8"), 1.0, summary="largest"),
    ]


def markdown(results: Mapping[str, Any]) -> str:
    """The whole report."""
    targets: Mapping[str, Rows] = results["targets"]
    about = results.get("machine", {})
    versions = ", ".join(f"{name} {version}" for name, version in about.get("versions", {}).items() if version)
    parts = [f"{about.get('cpu', 'unknown CPU')}, one thread unless said; {versions}.", goal_table(goals(targets))]
    for target, rows in targets.items():
        if rows:
            parts += [f"## Target {target}", _latency_table(rows), _memory_table(rows), *_absences(rows)]
    return "\n\n".join(parts) + "\n"


def goal_table(found: Sequence[Goal]) -> str:
    """Each goal with what was reached."""
    rows = [
        [
            goal.name,
            goal.summary,
            f"{'≥' if goal.above else '≤'} {goal.limit:g}",
            "-" if goal.reached is None else f"{goal.reached:.2f}",
            {None: "not measured", True: "yes", False: "no"}[goal.met],
            _extreme(goal),
        ]
        for goal in found
    ]
    return table(["goal", "over networks", "limit", "reached", "met", "worst"], rows)


def _extreme(goal: Goal) -> str:
    if not goal.values:
        return "-"
    worst = (min if goal.above else max)(goal.values, key=lambda name: goal.values[name])
    return f"{worst} {goal.values[worst]:.2f}"


def _latency_table(rows: Rows) -> str:
    """Median milliseconds; the ratios that the goals are about, each with its 10th and 90th percentile."""
    peers = _peers(rows)
    pairs = [("int8", peer) for peer in peers] + [("fp32", peer) for peer in peers if peer in ("iree", "onnxruntime")]
    head = ["network", "MMAC", *(f"{name} ms" for name in (*OURS, *peers)), "int8 / fp32"]
    head += [f"{ours} / {peer}" for ours, peer in pairs]
    body: list[list[str]] = []
    for network, row in rows.items():
        latency = row["latency"]
        times = [f"{latency[name]['median_ms']:.3f}" if name in latency else "-" for name in (*OURS, *peers)]
        shares = [_spread(latency[ours].get("against", {}).get(peer)) for ours, peer in pairs]
        body.append([network, f"{row['macs'] / 1e6:.1f}", *times, _spread(row["int8_over_fp32"]), *shares])
    means = [_mean(ratios(rows, ours, peer)) for ours, peer in pairs]
    body.append(["geometric mean", *[""] * (1 + len(OURS) + len(peers)), _mean(int8_over_fp32(rows)), *means])
    return table(head, body)


def _memory_table(rows: Rows) -> str:
    """Sizes of what is run, and peak resident memory beyond Python's own."""
    sized = [*OURS, *_peers(rows)]
    weighed = [name for name in sized if any(name in row["peak_rss"] for row in rows.values())]
    head = ["network", *(f"{name} KiB" for name in sized), *(f"{name} peak MiB" for name in weighed)]
    body = [
        [
            network,
            *(f"{row['bytes'][name] / 1024:.0f}" if name in row["bytes"] else "-" for name in sized),
            *(f"{_taken(row['peak_rss'][name]) / 1024:.1f}" if name in row["peak_rss"] else "-" for name in weighed),
        ]
        for network, row in rows.items()
    ]
    return table(head, body)


def _peers(rows: Rows) -> list[str]:
    """Those that ran at least one network."""
    return sorted({name for row in rows.values() for name in row["latency"] if name not in OURS})


def _absences(rows: Rows) -> list[str]:
    lines = [
        f"- {network}, {peer}: {' '.join(reason.split())[:200]}"
        for network, row in rows.items()
        for peer, reason in row["absent"].items()
    ]
    return ["Left out:\n\n" + "\n".join(lines)] if lines else []


def _taken(memory: Mapping[str, int]) -> int:
    return memory["peak_kib"] - memory["before_kib"]


def _spread(ratio: Mapping[str, float] | None) -> str:
    return "-" if ratio is None else f"{ratio['median']:.2f} ({ratio['p10']:.2f}–{ratio['p90']:.2f})"


def _mean(values: Mapping[str, float]) -> str:
    return f"{geometric_mean(list(values.values())):.2f}" if values else "-"
