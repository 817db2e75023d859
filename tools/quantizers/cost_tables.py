"""Tables of what quantization takes, and of what its result takes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tools.markdown import MISSING, number, table
from tools.network_report import geometric_mean
from tools.quantizers.cases import GRANULARITIES, METHODS
from tools.quantizers.columns import (
    FP32,
    MAX_DROP,
    MIXED,
    NNCF_CONTROL,
    NNCF_DEFAULT,
    SHORT,
    STATIC,
    Column,
    cells_of,
    our_columns,
    peer_columns,
)
from tools.quantizers.goals import everything, in_turns, ratios, with_analysis_programs, work
from tools.quantizers.results import Results, Row


def sizes(results: Results) -> str:
    """KiB of what is deployed."""
    return cells_of(results, [FP32, *our_columns(), *peer_columns()], _size)


def _size(row: Row) -> str:
    return f"{row['bytes'] / 1024:.0f}"


def _timed_columns() -> list[tuple[str, Column, Callable[[Row], float]]]:
    """Title, whose, and which of its seconds."""
    ours_ = [
        (f"{title}, {SHORT[g]}", MIXED[g], measure)
        for g in GRANULARITIES
        for title, measure in (
            ("work", work),
            ("and its programs", with_analysis_programs),
            ("and the result", everything),
        )
    ]
    searching = [(f"{column.title} work", column, work) for column in MAX_DROP.values()]
    return [*ours_, *searching, *((column.title, column, everything) for column in peer_columns())]


def times(results: Results) -> str:
    columns = [
        (title, column, measure)
        for title, column, measure in _timed_columns()
        if any(results.row(network, column.case) for network in results.networks)
    ]
    body: list[list[str]] = []
    for network in results.networks:
        cells: list[str] = []
        for _, column, measure in columns:
            row = results.row(network, column.case)
            cells.append(MISSING if row is None else f"{measure(row):.2f}{_search(row)}")
        body.append([network, *cells])
    return table(["network", *(title for title, _, _ in columns)], body)


def _search(row: Row) -> str:
    """What accuracy control did."""
    details = row["details"]
    if "validations" not in details:
        return ""
    return f" ({details['reverted_operations']} reverted, {details['validations']} validations)"


def time_ratios(results: Results) -> str:
    mixed = MIXED["per-channel"]
    clocks = {"work": "seconds", "work, processor time": "cpu_seconds"}
    peers = [*(STATIC[method, "per-channel"] for method in METHODS), NNCF_DEFAULT, NNCF_CONTROL]
    body = [[name, *(_mean(in_turns(results, mixed, peer, clock)) for peer in peers)] for name, clock in clocks.items()]
    for name, measure in (("work and its programs", with_analysis_programs), ("all", everything)):
        body.append([name, *(_mean(ratios(results, mixed, peer, measure)) for peer in peers)])
    return table(["geometric mean of ours /", *(peer.title for peer in peers)], body)


def _mean(values: dict[str, float]) -> str:
    return f"{geometric_mean(list(values.values())):.2f} (of {len(values)})" if values else MISSING


def memory(results: Results) -> str:
    columns = [*MIXED.values(), *MAX_DROP.values(), *peer_columns()]
    columns = [column for column in columns if any(results.row(network, column.case) for network in results.networks)]
    body = [
        [network, *(_peak(results.row(network, column.case)) for column in columns)] for network in results.networks
    ]
    return table(["network", *(column.title for column in columns)], body)


def _peak(row: Row | None) -> str:
    if row is None:
        return MISSING
    own, tree = row["peak_kib"] / 1024, row["tree_peak_kib"] / 1024
    return f"{own:.0f} ({tree:.0f})" if tree > 1.05 * own else f"{own:.0f}"


def latencies(results: Results, measured: dict[str, Any]) -> str:
    rows = measured["targets"].get("host", {})
    names = sorted({name for network in results.networks for name in rows.get(network, {}).get("latency", {})})
    body = [
        [
            network,
            *(number(rows.get(network, {}).get("latency", {}).get(name, {}).get("median_ms"), 3) for name in names),
        ]
        for network in results.networks
    ]
    return table(["network", *names], body)
