"""The fuzzer: mutations leave inputs reproducible, children that die are told by how they died."""

from __future__ import annotations

import json
import os
import random
import signal
import time
from pathlib import Path

import pytest

from quantune_mlir.errors import ModelError
from tools.fuzz.mutate import mutated_bytes, mutated_text, mutated_value
from tools.fuzz.report import main as report
from tools.fuzz.server import run_all
from tools.fuzz.surfaces import SURFACES, Surface


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


def test_mutations_of_nothing() -> None:
    rng = random.Random(0)
    for _ in range(50):
        assert isinstance(mutated_bytes(b"", rng), bytes) and isinstance(mutated_text(b"", rng), bytes)
        mutated_value({}, rng)


def test_runs_add_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tools.fuzz.report._COUNTS", tmp_path / "counts.json")
    (tmp_path / "fuzz.json").write_text(json.dumps({"plan": {"inputs": 3, "refused": 2, "hang": 1}}))
    page = tmp_path / "page.md"
    for _ in range(2):
        monkeypatch.setattr("sys.argv", ["report", "--fuzz", str(tmp_path / "fuzz.json"), str(page)])
        report()
    assert "| plan | 6 | 0 | 4 | 0 | 2 |" in page.read_text()
