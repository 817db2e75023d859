"""Files of every older format that we have written are read, and those of a later one are refused by their number.

tests/data/formats holds what earlier versions wrote of the sample network, or a part of it.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from quantune_mlir.cli import config_file
from quantune_mlir.cli.quantize_command import command as quantize_command
from quantune_mlir.errors import QuantuneError
from quantune_mlir.hardware.targets import load_target
from quantune_mlir.kernels.tiling.tuned_tiles import TunedTiles
from quantune_mlir.numerics.profile import Profile
from quantune_mlir.planning.plan import PrecisionPlan
from quantune_mlir.planning.sensitivity import SensitivityList
from quantune_mlir.report.run import Run
from quantune_mlir.report.summary_file import Summary
from quantune_mlir.report.verdict import line
from quantune_mlir.workflow.artifacts import read_summary

FILES = Path(__file__).parents[2] / "data" / "formats"
LAYERS = 12

READERS: dict[str, Callable[[Path], Any]] = {
    "config": lambda path: config_file.read(path, quantize_command),
    "plan": PrecisionPlan.load,
    "profile": Profile.load,
    "sensitivity": SensitivityList.load,
    "summary": Summary.load,
    "tiles": TunedTiles.load,
}


def kept(kind: str) -> list[Path]:
    return sorted(FILES.glob(f"{kind}-*"))


@pytest.mark.parametrize("path", sorted(FILES.glob("*-*")), ids=lambda path: path.name)
def test_files_of_older_versions_are_read(path: Path) -> None:
    READERS[path.name.partition("-")[0]](path)


def test_every_version_that_is_read_is_kept() -> None:
    versions = {kind: [int(re.findall(r"-(\d+)\.", path.name)[0]) for path in kept(kind)] for kind in READERS}
    assert versions == {
        "config": [1],
        "plan": [1],
        "profile": [3, 4],
        "sensitivity": [1, 2],
        "summary": [1, 2, 3],
        "tiles": [1],
    }


@pytest.mark.parametrize("path", kept("summary"), ids=lambda path: path.name)
def test_summaries_tell_their_verdict(path: Path) -> None:
    summary = Summary.load(path)
    assert len(summary.layers) >= LAYERS and "of the multiply-accumulates in int8" in line(Run("old", summary))
    assert read_summary(path)["policy"] == summary.policy


@pytest.mark.parametrize("path", kept("sensitivity"), ids=lambda path: path.name)
def test_sensitivity_lists_keep_their_order(path: Path) -> None:
    ranked = SensitivityList.load(path)
    noise = [layer.alone_normalized_mse for layer in ranked.layers if layer.alone_normalized_mse is not None]
    assert len(ranked.layers) == LAYERS and len(noise) > 3 and noise == sorted(noise, reverse=True)


@pytest.mark.parametrize(("name", "runs"), [("profile-3.npz", 1), ("profile-4.npz", 8)])
def test_profiles_keep_their_histograms(name: str, runs: int) -> None:
    profile = Profile.load(FILES / name)
    seen = profile["%input"]
    assert profile.samples == 8 and seen.counts.sum() == 8 * 8 * 8
    assert (seen.extremes.runs, len(seen.extremes.highest)) == (runs, runs)
    assert (seen.minimum, seen.maximum) == (0, 1)


def later(path: Path, folder: Path) -> Path:
    """A copy of a file with a format that is not there yet, and a key that nobody knows."""
    made = folder / path.name
    if path.suffix == ".npz":
        arrays = dict(np.load(path))
        header = {**json.loads(bytes(arrays["header"])), "format": 99}
        buffer = io.BytesIO()
        np.savez(buffer, **{**arrays, "header": np.frombuffer(json.dumps(header).encode(), np.uint8)})
        made.write_bytes(buffer.getvalue())
    elif path.suffix == ".json":
        made.write_text(json.dumps({**json.loads(path.read_text("utf-8")), "format": 99, "unheard": 1}), "utf-8")
    else:
        made.write_text(
            re.sub(r"^format: \d+$", "format: 99\nunheard: 1", path.read_text("utf-8"), flags=re.M), "utf-8"
        )
    return made


@pytest.mark.parametrize("kind", READERS)
def test_a_later_version_is_refused_by_its_number(kind: str, tmp_path: Path) -> None:
    *_, newest = kept(kind)
    path = later(newest, tmp_path)
    with pytest.raises(QuantuneError, match=r"format 99 is later than .* reads, up to \d") as refused:
        READERS[kind](path)
    assert refused.value.where == str(path) and "later" in (refused.value.remedy or "")
    assert "unheard" not in str(refused.value)


def test_output_directories_of_a_later_version_are_refused(tmp_path: Path) -> None:
    with pytest.raises(QuantuneError, match="format 99"):
        read_summary(later(FILES / "summary-3.json", tmp_path))


def test_a_target_of_ones_own_as_it_was_written_is_read() -> None:
    target = load_target(str(FILES / "target.toml"))
    assert target.isa == "dotprod" and target.memory.l1 == 65536
