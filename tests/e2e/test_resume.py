"""A run that was killed goes on with what it had finished, and so does one with a plan."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.e2e.models import conv_relu, images, save_model, save_samples

KILLED = """
import os, signal, sys
from quantune_mlir.cli.quantune import main
from quantune_mlir.backend.compile_cache import user_cache
from quantune_mlir.{module} import {cls}
def killed(*_, **__):
    user_cache().usage()  # A thread writes what is finished: that waits for it.
    os.kill(os.getpid(), signal.SIGKILL)
{cls}.{method} = killed
main(sys.argv[1:])
"""
WHOLE = "import sys; from quantune_mlir.cli.quantune import main; main(sys.argv[1:])"
SAME = ("plan.yaml", "sensitivity.yaml", "profile.npz", "mixed.mlir", "model.vmfb")


@pytest.fixture
def work(tmp_path: Path) -> Path:
    save_model(conv_relu(), tmp_path / "m.onnx")
    save_samples(tmp_path / "d.npz", x=images(8))
    return tmp_path


def quantize(work: Path, script: str, *options: str) -> subprocess.CompletedProcess[str]:
    """`quantune quantize` in a process of its own, with a cache of its own."""
    arguments = ["quantize", "m.onnx", "--calibration", "d.npz", *options]
    environment = os.environ | {"QUANTUNE_CACHE": str(work / "cache")}
    command = [sys.executable, "-c", script, *arguments]
    return subprocess.run(command, cwd=work, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("module", "cls", "method", "taken"),
    [
        ("sensitivity.calibration", "Calibrator", "run", "nothing had"),
        ("sensitivity.analysis", "Analyzer", "run", "run 1 had"),
        ("workflow.verification", "Verifier", "__call__", "run 1 and run 2 had"),
    ],
)
def test_it_goes_on_after_the_last_finished_run(work: Path, module: str, cls: str, method: str, taken: str) -> None:
    killed = quantize(work, KILLED.format(module=module, cls=cls, method=method), "--output", "out")
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    resumed = quantize(work, WHOLE, "--output", "out", "--resume")
    assert resumed.returncode == 0 and f"quantune: {taken} been finished before" in resumed.stderr, resumed.stderr
    anew = quantize(work, WHOLE, "--output", "anew")
    assert anew.returncode == 0 and "finished" not in anew.stderr
    planned = quantize(work, WHOLE, "--output", "planned", "--plan", "anew/plan.yaml")
    assert planned.returncode == 0 and "run 1 and run 2 had been finished before" in planned.stderr, planned.stderr
    assert [n for n in SAME if (work / "out" / n).read_bytes() != (work / "anew" / n).read_bytes()] == []


@pytest.mark.slow
def test_other_samples_or_options_are_not_taken_for_the_same(work: Path) -> None:
    assert quantize(work, WHOLE, "--output", "first").returncode == 0
    other = quantize(work, WHOLE, "--output", "second", "--resume", "--range", "minmax")
    assert "quantune: run 1 had been finished before" in other.stderr, other.stderr
    save_samples(work / "d.npz", x=images(8) * np.float32(0.5))
    third = quantize(work, WHOLE, "--output", "third", "--resume")
    assert "quantune: nothing had been finished before" in third.stderr, third.stderr


@pytest.mark.slow
def test_the_same_command_again_writes_the_same_files_without_its_work(work: Path) -> None:
    first = quantize(work, WHOLE, "--output", "first")
    assert first.returncode == 0, first.stderr
    idle = KILLED.format(module="samples.sample_set", cls="SampleSet", method="open")
    again = quantize(work, idle, "--output", "again", "--json", "again.json")
    assert again.returncode == 0, again.stderr
    assert again.stdout.replace("again", "first") == first.stdout and again.stderr == first.stderr
    files = {path.name: path.read_bytes() for path in (work / "first").iterdir()}
    assert {path.name: path.read_bytes() for path in (work / "again").iterdir()} == files
    assert json.loads((work / "again.json").read_text()) == json.loads(files["summary.json"])
    for changed in (["--range", "minmax"], ["--no-cache"], ["--resume"], ["--verbose"], ["--target", "x86-64"]):
        assert quantize(work, idle, "--output", "other", *changed).returncode == -signal.SIGKILL, changed
    assert quantize(work, idle, "--output", "first").returncode == 1, "there is something already"
    model, samples = (work / "m.onnx").read_bytes(), (work / "d.npz").read_bytes()
    save_samples(work / "d.npz", x=images(8) * np.float32(0.5))
    assert quantize(work, idle, "--output", "other").returncode == -signal.SIGKILL, "other samples"
    (work / "d.npz").write_bytes(samples)
    (work / "m.onnx").write_bytes(model + b"\x0a\x00")
    assert quantize(work, idle, "--output", "other").returncode == -signal.SIGKILL, "another model"
