"""Writes what the study found: plots, and docs/results.md between its two marks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

from tools.study.calibration_spread import spread_table
from tools.study.correlation_tables import Found, markdown
from tools.study.fronts import FRONTS, front_table

BEGIN: Final = "<!-- begin: python -m tools.study report -->"
END: Final = "<!-- end: python -m tools.study report -->"


def load(directory: Path) -> list[Found]:
    """Everything that `ground-truth` wrote, in the order of names."""
    return [json.loads(path.read_text()) for path in sorted(directory.glob("*.per-*.json"))]


def write_report(directory: Path, output: Path) -> None:
    """Plots into `output`, tables into the Markdown file beside it that is called after it."""
    from tools.study.plots import LABELS, plot_curves

    output.mkdir(parents=True, exist_ok=True)
    found = load(directory)
    lines = list(markdown(found))
    for one in found:
        if "curves" in one:
            for against in LABELS:
                name = f"{one['network']}.{one['granularity']}.{against}.svg"
                plot_curves(one, output / name, against)
                lines += ["", f"![{one['network']}, {one['granularity']}]({output.name}/{name})"]
    for path in sorted(directory.glob("*.calibration.json")):
        lines += ["", *spread_table(json.loads(path.read_text()))]
    fronts = sorted(directory.glob("*.front-per-*.json"))
    lines += ["", FRONTS] if fronts else []
    for path in fronts:
        lines += ["", *front_table(json.loads(path.read_text()))]
    page = output.with_suffix(".md")
    text = page.read_text() if page.exists() else f"# Results\n\n{BEGIN}\n{END}\n"
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    page.write_text(before + BEGIN + "\n\n" + "\n".join(lines) + "\n\n" + END + after)
