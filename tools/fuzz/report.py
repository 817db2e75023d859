"""python -m tools.fuzz.report --fuzz FILE --faults FILE docs/trust.md: adds up what was tried, and writes the page."""

from __future__ import annotations

import argparse
import json
from collections import Counter
from pathlib import Path
from typing import Final

from tools.fuzz.outcome import ACCEPTED, CONTAINED, REFUSED
from tools.fuzz.server import SECONDS
from tools.markdown import table

_HERE: Final = Path(__file__).parent
_COUNTS: Final = _HERE / "counts.json"
_INPUTS: Final = "inputs"
_ENDS: Final = (ACCEPTED, REFUSED, CONTAINED)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tools.fuzz.report")
    parser.add_argument("--fuzz", type=Path, help="what tools.fuzz wrote; it is added to counts.json")
    parser.add_argument("--faults", type=Path, help="what tools.fuzz.faults wrote")
    parser.add_argument("page", type=Path)
    arguments = parser.parse_args()
    counts = json.loads(_COUNTS.read_text(encoding="utf-8")) if _COUNTS.exists() else {"fuzz": {}, "faults": {}}
    for part in ("fuzz", "faults"):
        file: Path | None = getattr(arguments, part)
        if file is not None:
            counts[part] = _sum(counts[part], json.loads(file.read_text(encoding="utf-8")))
    _COUNTS.write_text(json.dumps(counts, indent=1) + "\n", encoding="utf-8")
    text = (_HERE / "trust.md.in").read_text(encoding="utf-8")
    text = text.replace("{seconds}", str(SECONDS)).replace("{fuzz}", _fuzz_table(counts["fuzz"]))
    arguments.page.write_text(text.replace("{faults}", _faults_table(counts["faults"])), encoding="utf-8")


def _sum(before: dict[str, dict[str, int]], added: dict[str, dict[str, int]]) -> dict[str, dict[str, int]]:
    names = dict.fromkeys([*before, *added])
    return {name: dict(Counter(before.get(name, {})) + Counter(added.get(name, {}))) for name in names}


def _fuzz_table(rows: dict[str, dict[str, int]]) -> str:
    lines = [
        [name, *(f"{n:,}" for n in (row[_INPUTS], *(row.get(key, 0) for key in _ENDS), _failed(row)))]
        for name, row in rows.items()
    ]
    totals = [sum(row.get(key, 0) for row in rows.values()) for key in (_INPUTS, *_ENDS)]
    totals.append(sum(map(_failed, rows.values())))
    lines.append(["all", *(f"{n:,}" for n in totals)])
    return table(["input", "tried", *_ENDS, "failed"], lines)


def _failed(row: dict[str, int]) -> int:
    return row[_INPUTS] - sum(row.get(key, 0) for key in _ENDS)


def _faults_table(rows: dict[str, dict[str, int]]) -> str:
    lines = [[name, str(row["tried"]), str(row.get("failed", 0))] for name, row in rows.items()]
    return table(["fault", "tried", "failed"], lines)


if __name__ == "__main__":
    main()
