"""The rows on disk: DIR/rows/NETWORK/CASE.json."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from tools.network_bench import machine
from tools.quantizers.cases import Case
from tools.quantizers.stages import COMPILE

Row = dict[str, Any]
CLOCKS: Final = ("seconds", "cpu_seconds")


class Results:
    """All rows of a directory.

    Attributes:
        rows: by network, then by the case's name.
        machine: what the numbers depend on.
    """

    def __init__(self, directory: Path) -> None:
        """Raises FileNotFoundError if `run` wrote nothing there."""
        if not (directory / "machine.json").is_file():
            raise FileNotFoundError(f"{directory} holds no results: make them with `run --json {directory}`")
        self.machine: dict[str, Any] = json.loads((directory / "machine.json").read_text(encoding="utf-8"))
        self.rows: dict[str, dict[str, Row]] = {}
        found = [json.loads(path.read_text(encoding="utf-8")) for path in sorted((directory / "rows").glob("*/*.json"))]
        for row in found:
            self.rows.setdefault(row["network"], {})[row["case"]] = row

    @property
    def networks(self) -> list[str]:
        """All, in alphabetical order."""
        return list(self.rows)

    def row(self, network: str, case: Case) -> Row | None:
        """What was measured; None if nothing was, or if it failed."""
        found = self.rows.get(network, {}).get(case.name)
        return found if found and "variants" in found else None

    def variant(self, network: str, case: Case, variant: str) -> Row | None:
        """One variant of a case."""
        row = self.row(network, case)
        return row["variants"].get(variant) if row else None


def row_path(directory: Path, network: str, case: Case) -> Path:
    """The file of a row."""
    return directory / "rows" / network / f"{case.file_stem}.json"


def write_machine(directory: Path) -> None:
    """Say where the rows are measured."""
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "machine.json").write_text(json.dumps(machine(), indent=1) + "\n", encoding="utf-8")


def seconds(row: Row, *, compiling: bool, clock: str = "seconds") -> float:
    """All stages that compile programs, or all others. `clock`: one of CLOCKS."""
    return sum(value for stage, value in row[clock].items() if stage.startswith(COMPILE) == compiling)
