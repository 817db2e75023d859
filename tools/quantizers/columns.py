"""What stands beside each other in the tables: a variant of a case, under a title."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from tools.markdown import MISSING, table
from tools.quantizers.cases import (
    ACCURACY_CONTROL,
    DEFAULT,
    GRANULARITIES,
    METHODS,
    REFERENCE,
    Case,
    nncf,
    onnxruntime_static,
    ours,
)
from tools.quantizers.results import Results, Row
from tools.quantizers.scores import Paired

SHORT: Final = {"per-channel": "ch", "per-tensor": "t"}
"""Granularities in titles."""


@dataclass(frozen=True)
class Column:
    """A variant of a case."""

    title: str
    case: Case
    variant: str

    def of(self, results: Results, network: str) -> Row | None:
        """What was measured of it; None if nothing was."""
        return results.variant(network, self.case, self.variant)


FP32: Final = Column("fp32", Case(REFERENCE), "fp32")
MIXED: Final = {g: Column(f"mixed, {SHORT[g]}", ours(g), "mixed") for g in GRANULARITIES}
INT8: Final = {g: Column(f"int8, {SHORT[g]}", ours(g), "int8") for g in GRANULARITIES}
MAX_DROP: Final = {g: Column(f"max-drop, {SHORT[g]}", Case(f"{ours(g).name}/max-drop"), "mixed") for g in GRANULARITIES}
STATIC: Final = {
    (method, g): Column(f"ORT {method}, {SHORT[g]}", onnxruntime_static(method, g), "int8")
    for method in METHODS
    for g in GRANULARITIES
}
NNCF_DEFAULT: Final = Column("NNCF", nncf(DEFAULT), "int8")
NNCF_CONTROL: Final = Column("NNCF acc. control", nncf(ACCURACY_CONTROL), "int8")


def our_columns() -> list[Column]:
    """Our columns, of the default scheme."""
    return [column for g in GRANULARITIES for column in (INT8[g], MIXED[g], MAX_DROP[g])]


def peer_columns() -> list[Column]:
    """Columns of the other quantizers."""
    return [*STATIC.values(), NNCF_DEFAULT, NNCF_CONTROL]


def against(row: Row, other: Row) -> Paired:
    """The samples that `other` gets right and `row` does not, and those of the reverse.

    Both rows tell in which samples they differ from fp32, which is enough.
    """
    lost = (set(row["lost"]) - set(other["lost"])) | (set(other["won"]) - set(row["won"]))
    won = (set(other["lost"]) - set(row["lost"])) | (set(row["won"]) - set(other["won"]))
    return Paired(sorted(lost), sorted(won))


def cells_of(results: Results, columns: Sequence[Column], cell: Callable[[Row], str]) -> str:
    """A row for each network, a column for each variant."""
    present = [column for column in columns if any(column.of(results, network) for network in results.networks)]
    body = [
        [network, *(cell(row) if (row := column.of(results, network)) else MISSING for column in present)]
        for network in results.networks
    ]
    return table(["network", *(column.title for column in present)], body)
