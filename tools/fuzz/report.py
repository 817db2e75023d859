"""python -m tools.fuzz.report FOLDER docs/trust.md: adds up what was tried, and writes the page.

The folder has fuzz.json, faults.json, and so on, as far as something was tried. The files are emptied: what they had is
in tools/fuzz/counts.json then.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from tools.fuzz.counts import COMPARED, INPUTS, SECONDS_TAKEN, Counts, add, read, write
from tools.fuzz.outcome import ACCEPTED, CONTAINED, GOOD, REFUSED
from tools.fuzz.server import SECONDS
from tools.markdown import table

_HERE: Final = Path(__file__).parent
_COUNTS: Final = _HERE / "counts.json"
_ENDS: Final = (ACCEPTED, REFUSED, CONTAINED)
_PARTS: Final = ("fuzz", "faults", "integers", "graphs", "rewritings")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tools.fuzz.report")
    parser.add_argument("folder", type=Path, help="where the numbers are")
    parser.add_argument("page", type=Path)
    arguments = parser.parse_args()
    counts: dict[str, Counts] = json.loads(_COUNTS.read_text(encoding="utf-8")) if _COUNTS.exists() else {}
    for part in _PARTS:
        file: Path = arguments.folder / f"{part}.json"
        counts[part] = add(counts.get(part, {}), read(file))
        if file.exists():
            write(file, {})
    _COUNTS.write_text(json.dumps(counts, indent=1) + "\n", encoding="utf-8")
    text = (_HERE / "trust.md.in").read_text(encoding="utf-8").replace("{limit}", str(SECONDS))
    text = text.replace("{fuzz}", _fuzz_table(counts.get("fuzz", {})))
    for part in _PARTS[1:]:
        text = text.replace(f"{{{part}}}", _table(part, counts.get(part, {})))
    arguments.page.write_text(text, encoding="utf-8")


def _fuzz_table(rows: Counts) -> str:
    everything: Counts = {}
    for row in rows.values():
        everything = add(everything, {"all": row})
    lines = [
        [name, *(f"{row.get(key, 0):,.0f}" for key in (INPUTS, *_ENDS, COMPARED)), f"{_failed(row):,.0f}", _time(row)]
        for name, row in (rows | everything).items()
    ]
    return table(["input", "tried", *_ENDS, "compared", "failed", "time"], lines)


def _failed(row: Mapping[str, float]) -> float:
    return sum(count for key, count in row.items() if key not in {*GOOD, INPUTS, COMPARED, SECONDS_TAKEN})


def _table(part: str, rows: Counts) -> str:
    lines = [[name, f"{row['tried']:,.0f}", f"{row.get('failed', 0):,.0f}", _time(row)] for name, row in rows.items()]
    return table([part.removesuffix("s"), "tried", "failed", "time"], lines)


def _time(row: Mapping[str, float]) -> str:
    seconds = row.get(SECONDS_TAKEN, 0)
    return f"{seconds / 60:,.0f} min" if seconds >= 600 else f"{seconds:,.0f} s"


if __name__ == "__main__":
    main()
