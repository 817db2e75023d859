"""Output directories: what may be replaced, and what stands where when runs meet or die."""

from __future__ import annotations

import json
import os
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from quantune_mlir.errors import OutputError
from quantune_mlir.workflow.artifacts import PLAN, PROGRAMS, SUMMARY, check_output, written_as_a_whole

OURS = json.dumps({"versions": {}, "options": {}, "model": {}})


def write(directory: Path, plan: str = "new", *, force: bool = False) -> None:
    with written_as_a_whole(directory, force=force) as files:
        files[PLAN].write_text(plan)
        files[SUMMARY].write_text(OURS)


@pytest.fixture
def ours(tmp_path: Path) -> Path:
    write(tmp_path / "out", "old")
    return tmp_path / "out"


def test_one_of_ours_is_replaced(ours: Path) -> None:
    (ours / PROGRAMS).mkdir()
    check_output(ours, force=True)
    write(ours, force=True)
    assert (ours / PLAN).read_text() == "new"
    assert os.listdir(ours.parent) == ["out"]


@pytest.mark.parametrize(
    "summary", ["", "{}", "[]", "[" * 100_000, '{"name": "a thesis"}', '{"versions": 1, "options": 2, "model": 3}']
)
def test_a_foreign_summary_is_spared(ours: Path, summary: str) -> None:
    (ours / SUMMARY).write_text(summary)
    with pytest.raises(OutputError, match=r"does not replace it: summary\.json"):
        check_output(ours, force=True)
    with pytest.raises(OutputError, match="does not replace it"):
        write(ours, force=True)
    assert (ours / PLAN).read_text() == "old"


@pytest.mark.parametrize("foreign", ["thesis.tex", "data/thesis.tex", ".hidden", "plan.yaml~", "mixed.mlir/x"])
def test_foreign_files_are_spared(ours: Path, foreign: str) -> None:
    (ours / foreign).parent.mkdir(exist_ok=True)
    (ours / foreign).write_text("years of work")
    with pytest.raises(OutputError, match=f"it holds '{foreign.split('/')[0]}'"):
        check_output(ours, force=True)
    assert (ours / foreign).read_text() == "years of work"


def test_a_foreign_file_that_comes_meanwhile_is_spared(ours: Path) -> None:
    def run() -> None:
        with written_as_a_whole(ours, force=True):
            (ours / "thesis.tex").write_text("years of work")

    with pytest.raises(OutputError, match=r"it holds 'thesis\.tex'"):
        run()
    assert (ours / "thesis.tex").exists() and os.listdir(ours.parent) == ["out"]


def test_links_are_followed(ours: Path) -> None:
    link = ours.parent / "latest"
    link.symlink_to("out")
    write(link, force=True)
    assert link.is_symlink() and (ours / PLAN).read_text() == "new"
    assert sorted(os.listdir(ours.parent)) == ["latest", "out"]


def test_links_within_are_foreign(ours: Path) -> None:
    (ours / PLAN).unlink()
    (ours / PLAN).symlink_to("/etc/passwd")
    with pytest.raises(OutputError, match=r"it holds 'plan\.yaml'"):
        check_output(ours, force=True)


def test_only_the_first_of_several_runs_gets_the_place(tmp_path: Path) -> None:
    refused: list[OutputError] = []
    barrier = threading.Barrier(3)

    def run(plan: str) -> None:
        try:
            with written_as_a_whole(tmp_path / "out") as files:
                files[PLAN].write_text(plan)
                barrier.wait()
        except OutputError as error:
            refused.append(error)

    threads = [threading.Thread(target=run, args=(str(number),)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert ["exists already" in str(error) for error in refused] == [True, True]
    assert os.listdir(tmp_path) == ["out"]


def test_what_killed_runs_left_goes_with_the_next(ours: Path) -> None:
    for name in (".out.abc.quantune", ".out.def.quantune-old", ".other.abc.quantune"):
        (ours.parent / name).mkdir()
    write(ours, force=True)
    assert sorted(os.listdir(ours.parent)) == [".other.abc.quantune", "out"]


def test_what_a_killed_run_moved_away_comes_back(ours: Path) -> None:
    ours.rename(ours.parent / ".out.abc.quantune-old")
    with pytest.raises(OutputError, match="exists already"):
        check_output(ours, force=False)
    assert (ours / PLAN).read_text() == "old"


@pytest.fixture
def inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    (tmp_path / "deep" / "er").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "deep" / "er")
    yield tmp_path
    os.chdir("/")
    shutil.rmtree(tmp_path)


@pytest.mark.parametrize("place", [".", "..", "../..", "/", "../er"])
def test_the_current_folder_stays(inside: Path, place: str) -> None:
    with pytest.raises(OutputError, match="holds the current folder"):
        check_output(Path(place), force=True)


@pytest.mark.parametrize("name", ["x" * 256, "é" * 128, "a/" + "x" * 256, "d/" * 2000 + "x"])
def test_names_that_are_too_long_fail_early(tmp_path: Path, name: str) -> None:
    with pytest.raises(OutputError, match="File name too long"):
        check_output(tmp_path / name, force=False)


@pytest.mark.parametrize("name", ["x" * 255, "é" * 127])
def test_long_names_work(tmp_path: Path, name: str) -> None:
    check_output(tmp_path / name, force=False)
    write(tmp_path / name)
    write(tmp_path / name, force=True)
    assert os.listdir(tmp_path) == [name]
