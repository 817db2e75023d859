"""Runs side by side."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from quantune_mlir.report.comparison import Table, as_json, named, tables
from quantune_mlir.report.page import side_by_side
from quantune_mlir.report.run import Run
from tests.unit.report.runs import HOSTILE, run
from tests.unit.report.test_page import Reader


def changed(first: Run) -> Run:
    layers = [layer.model_copy(update={"precision": "fp32"}) for layer in first.summary.layers]
    options = {**first.summary.options, "equalize": True}
    summary = first.summary.model_copy(update={"layers": tuple(layers), "options": options})
    return dataclasses.replace(first, summary=summary, latencies={})


@pytest.fixture
def found() -> dict[str, Table]:
    first = run(hostile=False)
    return {table.title.split(":")[0]: table for table in tables(["a", "b"], [first, changed(first)])}


def test_outcome_shows_what_any_run_knows(found: dict[str, Table]) -> None:
    outcome = found["Outcome of the mixed networks"]
    rows = [dict(zip(outcome.head, row, strict=True)) for row in outcome.rows]
    assert [row["run"] for row in rows] == ["a", "b"]
    assert [row["latency"] for row in rows] == ["3.5 ms", "–"]
    assert rows[0]["top-1"] == "87.5 %" and "score" not in rows[0]


def test_only_differences_are_shown(found: dict[str, Table]) -> None:
    assert found["What they were made with, where it differs"].rows == (("equalize", "default", "True"),)
    layers = found["Layers in different formats"]
    assert layers.title.endswith("3 of 6") and layers.rows[0] == ("layer0", "int8", "fp32")


def test_runs_that_are_alike_have_no_differences() -> None:
    first = run(hostile=False)
    assert [table.title.split(":")[0] for table in tables(["a", "b"], [first, first])] == [
        "Outcome of the mixed networks",
        "Noise of the outputs, measured",
    ]


def test_numbers_for_programs_are_those_of_the_tables() -> None:
    first = run(hostile=False)
    numbers = json.loads(json.dumps(as_json(["a", "b"], [first, changed(first)]), allow_nan=False))
    assert [each["median_ms"] for each in numbers.values()] == [3.5, None]
    assert numbers["a"]["top1"] == 0.875 and numbers["a"]["score"] is None
    assert numbers["b"]["made_with"]["equalize"] is True and numbers["b"]["precision"]["layer0"] == "fp32"
    assert numbers["a"]["worst_sqnr_db"] == min(numbers["a"]["parts"].values())


def test_noise_that_was_not_verified_is_not_shown_as_such() -> None:
    first = run(hostile=False)
    unverified = dataclasses.replace(first, summary=first.summary.model_copy(update={"verification": None}))
    assert as_json(["a", "b"], [first, unverified])["b"]["worst_sqnr_db"] is None


def test_names_are_as_long_as_is_needed() -> None:
    assert named([Path("/x/a"), Path("/x/b")]) == ["a", "b"]
    assert named([Path("/x/out"), Path("/y/out")]) == ["x/out", "y/out"]
    assert named([Path("/x/out"), Path("/x/out")]) == ["/x/out", "/x/out"]


def test_the_page_is_well_formed_and_names_stay_names() -> None:
    read = Reader(side_by_side(list(HOSTILE[:2]), [run(), changed(run())]))
    tags = [tag for tag, _ in read.tags]
    assert "img" not in tags and tags.count("script") == 4
    assert HOSTILE[0] in "".join(read.text["strong"])
