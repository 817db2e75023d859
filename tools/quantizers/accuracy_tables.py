"""Tables of what quantization does to answers."""

from __future__ import annotations

from quantune_mlir.numerics.schemes import Scheme
from tools.markdown import MISSING, number, score, table
from tools.quantizers.cases import GRANULARITIES, METHODS, ours
from tools.quantizers.columns import (
    FP32,
    MIXED,
    NNCF_CONTROL,
    NNCF_DEFAULT,
    SHORT,
    STATIC,
    Column,
    against,
    cells_of,
    our_columns,
    peer_columns,
)
from tools.quantizers.results import Results, Row


def scores(results: Results) -> str:
    """Top-1 or AUC."""
    return cells_of(results, [FP32, *our_columns(), *peer_columns()], _score)


def noise(results: Results) -> str:
    """SQNR of the output."""
    return cells_of(results, [*our_columns(), *peer_columns()], _sqnr)


def changes(results: Results) -> str:
    """Answers beside fp32's."""
    return cells_of(results, [*our_columns(), *peer_columns()], _changes)


def _score(row: Row) -> str:
    return score(row.get("score"))


def _sqnr(row: Row) -> str:
    return number(row["sqnr_db"], 1)


def _changes(row: Row) -> str:
    if "lost" not in row:
        return f"{row['changed']} other" if "changed" in row else MISSING
    tied = f", {row['answers_tied']} ties" if row["answers_tied"] else ""
    return _signed(len(row["won"]), len(row["lost"]), row["p_value"]) + tied


def _signed(won: int, lost: int, p_value: float) -> str:
    return f"+{won} −{lost}" + (f" ({p_value:.1g})" if p_value < 0.05 else "")


def beside(results: Results) -> str:
    pairs = [(MIXED[g], peer) for g in GRANULARITIES for peer in _peers_of(g)]
    body: list[list[str]] = []
    for network in results.networks:
        cells: list[str] = []
        for ours_, peer in pairs:
            row, other = ours_.of(results, network), peer.of(results, network)
            if row and other and "lost" in row and "lost" in other:
                paired = against(row, other)
                cells.append(_signed(len(paired.won), len(paired.lost), paired.p_value))
            else:
                cells.append(MISSING)
        if any(cell != MISSING for cell in cells):
            body.append([network, *cells])
    return table(["network", *(f"{ours_.title} / {peer.title}" for ours_, peer in pairs)], body)


def _peers_of(granularity: str) -> list[Column]:
    return [*(STATIC[method, granularity] for method in METHODS), NNCF_DEFAULT, NNCF_CONTROL]


def plans(results: Results) -> str:
    body: list[list[str]] = []
    for network in results.networks:
        cells: list[str] = []
        for granularity in GRANULARITIES:
            row = results.row(network, MIXED[granularity].case)
            names = row["details"]["fp32_layers"] if row else []
            share = f"{100 * row['details']['int8_mac_share']:.1f} %" if row else MISSING
            cells += [share, f"{len(names)}: {', '.join(names)}" if names else "0" if row else MISSING]
        body.append([network, *cells])
    return table(["network", *(f"{title}, {SHORT[g]}" for g in GRANULARITIES for title in ("int8", "fp32"))], body)


def schemes(results: Results) -> str:
    head = ["network", "weights", *(f"{s}, {variant}" for s in Scheme for variant in ("int8", "mixed"))]
    body: list[list[str]] = []
    for network in results.networks:
        for granularity in GRANULARITIES:
            cells = [
                _score_and_sqnr(results.variant(network, ours(granularity, scheme), variant))
                for scheme in Scheme
                for variant in ("int8", "mixed")
            ]
            body.append([network, granularity, *cells])
    return table(head, body)


def _score_and_sqnr(row: Row | None) -> str:
    return f"{_score(row)} ({_sqnr(row)})" if row else MISSING
