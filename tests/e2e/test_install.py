"""What is released installs into an empty environment and quantizes the sample network there."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.packages import REPOSITORY, build_wheel, copy_source

pytestmark = pytest.mark.slow

PYTHONS = ("3.10", "3.11", "3.12", "3.13")
OWN = f"{sys.version_info.major}.{sys.version_info.minor}"
DATA = REPOSITORY / "tests" / "data"


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copy_source(tmp_path_factory.mktemp("source"))


def interpreter(version: str) -> str:
    """One that runs: managers of versions leave commands that lead to none."""
    found = sys.executable if version == OWN else shutil.which(f"python{version}")
    if found is None or subprocess.run([found, "-c", ""], capture_output=True, check=False).returncode != 0:
        pytest.skip(f"there is no python{version} on this machine")
    return found


@pytest.mark.parametrize("version", PYTHONS)
def test_wheel_quantizes_in_an_empty_environment(version: str, source: Path, tmp_path: Path) -> None:
    python = interpreter(version)
    demonstrate(python, build_wheel(source, tmp_path), tmp_path)


def demonstrate(python: str, package: Path, folder: Path) -> None:
    """Install a package, with what pip keeps of earlier downloads, and use it where nothing else is."""
    environment = folder / "environment"
    subprocess.run([python, "-m", "venv", str(environment)], check=True)
    scripts = environment / "bin"
    subprocess.run([str(scripts / "pip"), "install", "--quiet", str(package)], check=True)
    output = folder / "out"
    model, samples, test = (DATA / name for name in ("digits.onnx", "digits_calibration.npz", "digits_test.npz"))
    quantune(scripts, "quantize", model, "--calibration", samples, "--samples", 16, "--output", output)
    quantune(scripts, "evaluate", output, "--data", test, "--variant", "mixed", "--json", folder / "scores.json")
    scores = json.loads((folder / "scores.json").read_text("utf-8"))
    assert scores["mixed"]["samples"] == 400 and scores["mixed"]["top1"] > 0.95
    listed = subprocess.run(
        [str(scripts / "quantune-opt"), "--list-passes"], check=True, capture_output=True, text=True
    )
    assert "quantune-quantize" in listed.stdout
    assert (output / "report.html").stat().st_size > 1e5


def quantune(scripts: Path, *arguments: object) -> None:
    command = [str(scripts / "quantune"), *map(str, arguments)]
    done = subprocess.run(command, cwd=scripts, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
