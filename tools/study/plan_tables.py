"""What was found of plans, as a part of a page: predicted beside measured noise, and budgets beside a greedy search."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from quantune_mlir.numerics.metrics import decibels
from tools.markdown import table
from tools.study.correlation import spearman
from tools.study.plots import plot_plans

BEGIN: Final = "<!-- begin: python -m tools.study report-plans -->"
END: Final = "<!-- end: python -m tools.study report-plans -->"
QUANTILES: Final = (0.05, 0.5, 0.95)
USABLE_DB: Final = 10.0
"""Plans below it, by prediction as well as by measurement, are warned of whichever is right."""

Found = Mapping[str, Any]


def write_plans(directory: Path, output: Path) -> None:
    """A plot into `output`, tables into the Markdown file beside it that is called after it."""
    plans, budgets = (_load(directory, kind) for kind in ("plans", "budgets"))
    plot_plans({_title(found): points(found) for found in plans}, output / "plans.svg")
    lines = [*noise_table(plans), "", f"![predicted beside measured]({output.name}/plans.svg)"]
    lines += ["", *budget_table(budgets)] if budgets else []
    page = output.with_suffix(".md")
    before, _, rest = page.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    page.write_text(before + BEGIN + "\n\n" + "\n".join(lines) + "\n\n" + END + after)


def _load(directory: Path, kind: str) -> list[Found]:
    return [json.loads(path.read_text()) for path in sorted(directory.glob(f"*.{kind}-per-*.json"))]


def _title(found: Found) -> str:
    return f"{found['network']}, {found['granularity']}"


def points(found: Found) -> NDArray[np.float64]:
    """float64[plans, 2]: predicted and measured SQNR of the worst part of each plan that has noise, in dB."""
    noisy = [(plan["predicted"], plan["measured"]) for plan in found["plans"] if plan["predicted"] and plan["measured"]]
    return np.array([[decibels(noise) for noise in pair] for pair in noisy])


def noise_table(networks: Sequence[Found]) -> Iterator[str]:
    """A row for each network, and one for all plans together."""
    quantiles = [f"{100 * q:.0f} %" for q in QUANTILES]
    head = [
        "network, weights",
        "parts",
        "layers",
        "Spearman",
        "plans",
        "within 3 dB",
        "within 6 dB",
        f"from {USABLE_DB:.0f} dB",
        "within 3 dB",
        "within 6 dB",
        *quantiles,
        "worst",
    ]
    rows = [
        [
            _title(found),
            str(len(found["parts"])),
            str(len(found["layers"])),
            f"{spearman(*([row[side] for row in found['layers']] for side in ('predicted', 'measured'))):.2f}",
            *_cells(points(found)),
        ]
        for found in networks
    ]
    everything = np.concatenate([points(found) for found in networks])
    yield table(head, [*rows, ["all", "", "", "", *_cells(everything)]])


def _cells(pairs: NDArray[np.float64]) -> list[str]:
    errors = pairs[:, 0] - pairs[:, 1]
    usable = errors[pairs.max(axis=1) >= USABLE_DB]
    worst = errors[int(np.argmax(abs(errors)))]
    quantiles = (f"{error:+.1f}" for error in [*np.quantile(errors, QUANTILES), worst])
    return [str(len(errors)), *_shares(errors), str(len(usable)), *_shares(usable), *quantiles]


def _shares(errors: NDArray[np.float64]) -> list[str]:
    return [f"{100 * (abs(errors) <= most).mean():.0f} %" if len(errors) else "–" for most in (3, 6)]


def budget_table(networks: Sequence[Found]) -> Iterator[str]:
    """A row for each SQNR that was asked for: the plan that was made, and that of the search."""
    plan = ("MACs in fp32", "time", "on others")
    head = ["network, weights", "asked for", "measured", *plan, "greedy search", *plan]
    rows: list[list[str]] = []
    for found in networks:
        for row in found["budgets"]:
            cells = [f"{found['network']}, {found['granularity']}", f"{row['wanted']:.0f} dB"]
            if "refused" in row:
                rows.append([*cells, "refused", *[""] * (len(head) - 3)])
                continue
            ours, greedy = (
                [
                    f"{100 * row[whose + 'fp32_macs'] / found['macs']:.1f} %",
                    f"{row[whose + 'time']:.2f}",
                    _level(row[whose + "others_db"]),
                ]
                for whose in ("", "greedy_")
            )
            rows.append([*cells, _level(row["measured"]), *ours, _level(row["greedy_db"]), *greedy])
    yield table(head, rows)


def _level(db: float | None) -> str:
    return "no noise" if db is None or math.isinf(db) else f"{db:.1f} dB"
