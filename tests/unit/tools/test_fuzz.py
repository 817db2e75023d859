"""The fuzzer: mutations leave inputs reproducible, children that die are told by how they died."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest

from quantune_mlir.errors import ModelError
from tools.fuzz.counts import read, write
from tools.fuzz.mutate import mutated_bytes, mutated_text, mutated_value
from tools.fuzz.oracle import require_near
from tools.fuzz.outcome import DIFFERS, GOOD
from tools.fuzz.report import main as report
from tools.fuzz.server import run_all
from tools.fuzz.surface import ROOT, Surface
from tools.fuzz.surfaces import SURFACES

CORPUS = ROOT / "tools" / "fuzz" / "corpus"


def act(path: Path) -> None:
    """Do what the input says."""
    word = path.read_text()
    if word == "refuse":
        raise ModelError("no")
    if word == "crash":
        os.kill(os.getpid(), signal.SIGSEGV)
    if word == "exit":
        os._exit(3)
    if word == "hang":
        time.sleep(60)
    if word == "fail":
        raise KeyError(word)


def test_outcomes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tools.fuzz.server._WALL_SECONDS", 0.5)
    words = ["accept", "crash", "refuse", "hang", "exit", "fail", "accept"]
    paths = [tmp_path / f"{number}-{word}" for number, word in enumerate(words)]
    for path, word in zip(paths, words, strict=True):
        path.write_text(word)
    found = list(run_all(act, paths))
    assert [path for path, _ in found] == paths
    outcomes = [outcome for _, outcome in found]
    assert outcomes[:5] == ["accepted", "crash SIGSEGV", "refused", "hang", "crash status 3"]
    assert outcomes[5].startswith("traceback KeyError at test_fuzz.py:") and outcomes[6] == "accepted"


@pytest.mark.parametrize("surface", SURFACES, ids=lambda surface: surface.name)
def test_seeds_are_accepted_and_mutations_reproducible(tmp_path: Path, surface: Surface) -> None:
    seeds = surface.seeds()
    if surface.name != "command line":
        path = tmp_path / f"seed{surface.suffix}"
        path.write_bytes(seeds[0])
        assert [outcome for _, outcome in run_all(surface.run, [path])] == ["accepted"]
    first, second = ([surface.mutate(seeds[0], rng) for _ in range(20)] for rng in (random.Random(1), random.Random(1)))
    assert first == second or surface.suffix == ".npz"  # a zip has a time
    assert any(mutated != seeds[0] for mutated in first)


@pytest.mark.parametrize("path", sorted(CORPUS.glob("*/*")), ids=lambda path: f"{path.parent.name} {path.stem}")
def test_what_was_found_fails_no_more(path: Path) -> None:
    (surface,) = (surface for surface in SURFACES if surface.name == path.parent.name)
    assert next(outcome for _, outcome in run_all(surface.run, [path])) in GOOD
    if surface.check is not None:
        assert [outcome for _, outcome in run_all(surface.check, [path])] != [DIFFERS]


@pytest.mark.parametrize("surface", SURFACES, ids=lambda surface: surface.name)
def test_a_round_of_mutations(tmp_path: Path, surface: Surface) -> None:
    counts, failures = tmp_path / "counts.json", tmp_path / "failures"
    options = ("--minutes", "0", "--seed", "24", "--only", surface.name, "--failures", failures, "--json", counts)
    done = subprocess.run([sys.executable, "-m", "tools.fuzz", *options], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert read(counts)[surface.name]["inputs"] >= 32 and not failures.exists()


@pytest.mark.parametrize(
    ("got", "wanted", "near"),
    [
        ([1.0, np.nan, np.inf], [1.001, np.nan, np.inf], True),
        ([1.0], [1.01], False),
        ([np.inf], [3.0], False),
        ([np.nan], [3.0], False),
        ([[1.0]], [1.0], False),
        ([1], [2], False),
        ([7], [-(2**63)], True),
    ],
)
def test_what_is_near(got: list[float], wanted: list[float], near: bool) -> None:
    with nullcontext() if near else pytest.raises(AssertionError):
        require_near(np.array(got), np.array(wanted))


def test_mutations_of_nothing() -> None:
    rng = random.Random(0)
    for _ in range(50):
        assert isinstance(mutated_bytes(b"", rng), bytes) and isinstance(mutated_text(b"", rng), bytes)
        mutated_value({}, rng)


def test_runs_add_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tools.fuzz.report._COUNTS", tmp_path / "counts.json")
    page, tried = tmp_path / "page.md", tmp_path / "fuzz.json"
    monkeypatch.setattr("sys.argv", ["report", str(tmp_path), str(page)])
    for _ in range(2):
        write(tried, {"plan": {"inputs": 3, "refused": 2, "hang": 1, "seconds": 400.25}})
        report()
    report()
    assert "| plan | 6 | 0 | 4 | 0 | 0 | 2 | 13 min |" in page.read_text()
