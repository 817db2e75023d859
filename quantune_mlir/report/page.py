"""report.html: one self-contained file about one run.

All that is foreign, names of layers and files first of all, is escaped: in HTML by the templates, in scripts by being
JSON in an element of its own that nothing but JSON.parse reads. A policy in the page forbids whatever would load more.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from typing import Any, Final

import jinja2
from markupsafe import Markup

from quantune_mlir.printable import printable
from quantune_mlir.report import commands, comparison, figures, layers, verdict
from quantune_mlir.report.layers import digits
from quantune_mlir.report.run import Run

_PACKAGE: Final = "quantune_mlir.report"
LIBRARIES: Final = ("d3.min.js", "plot.min.js", "dagre.min.js")
_COMPARING: Final = (("libraries", "d3.min.js"), ("libraries", "plot.min.js"), ("assets", "compare.js"))
_SCRIPTS: Final = ("common.js", "front.js", "layer.js", "network.js", "table.js", "stages.js")


def prepare() -> None:
    """Compile the templates of a report, so that `page` need not."""
    for file in files(_PACKAGE).joinpath("templates").iterdir():
        _environment().get_template(file.name)


def page(run: Run) -> str:
    """The report of a run."""
    return (
        _environment()
        .get_template("page.html")
        .render(
            run=run,
            summary=run.summary,
            figures=figures,
            verdict=verdict,
            shares={layer.name: layers.noise_share(layer, run) for layer in run.summary.layers},
            metrics=layers.METRICS,
            command=commands.repeated(run.summary),
            front=_front(run),
            data=_told(_data(run)),
            style=Markup(_text("assets", "report.css")),
            scripts=[Markup(_text(*where)) for where in _all_scripts()],
        )
    )


def fragment(run: Run) -> str:
    """The gist of it, as notebooks show it."""
    template = _environment().get_template("fragment.html")
    return template.render(run=run, summary=run.summary, verdict=verdict)


def side_by_side(names: Sequence[str], runs: Sequence[Run]) -> str:
    """Several runs on one page."""
    points = [{"run": name, **point} for name, run in zip(names, runs, strict=True) for point in _front(run)]
    return (
        _environment()
        .get_template("compare.html")
        .render(
            names=names,
            runs=runs,
            verdict=verdict,
            tables=comparison.tables(names, runs),
            data=_told({"points": points, "names": list(names)}) if points else None,
            style=Markup(_text("assets", "report.css")),
            scripts=[Markup(_text(*where)) for where in _COMPARING],
        )
    )


def _front(run: Run) -> list[dict[str, Any]]:
    """The plans worth having, as the page lists them."""
    costs = run.summary.costs
    whole = costs.fp32.time if costs is not None and costs.fp32.time else 1.0
    return [
        {
            "chosen": point.chosen,
            "sqnr": digits(point.sqnr_db),
            "share": digits(point.time / whole),
            "time": "" if costs is None else figures.time(point.time, costs.unit),
            "size": figures.size(point.bytes),
            "fp32": len(point.fp32),
            "command": commands.repeated(run.summary)
            if point.chosen
            else commands.choosing(run.summary, point.options)
            if point.options
            else "",
        }
        for point in run.summary.front
    ]


def _data(run: Run) -> dict[str, Any]:
    """What the scripts read."""
    costs = run.summary.costs
    return {
        "unit": "" if costs is None else costs.unit,
        "metrics": layers.METRICS,
        "layers": layers.layers(run),
        "front": _front(run),
        "stages": list(run.summary.timings_s.items()),
    }


def _all_scripts() -> list[tuple[str, str]]:
    return [*(("libraries", name) for name in LIBRARIES), *(("assets", name) for name in _SCRIPTS)]


@cache
def _text(folder: str, name: str) -> str:
    """A file that comes with the package."""
    return (files(_PACKAGE) / folder / name).read_text(encoding="utf-8")


def _told(value: Any) -> Any:
    """What is shown of a value: text without what would move or reverse a line."""
    if isinstance(value, dict):
        return {key: _told(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_told(each) for each in value]
    return printable(value, lines=True) if isinstance(value, str) and not isinstance(value, Markup) else value


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(lambda name: _text("templates", name)),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_told,
    )
    environment.policies["json.dumps_kwargs"] = {"separators": (",", ":")}
    return environment
