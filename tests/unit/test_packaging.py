from __future__ import annotations

import tarfile
import zipfile
from pathlib import Path

import pytest

from tests.packages import REPOSITORY, build_sdist, build_wheel, copy_source

pytestmark = pytest.mark.slow


def content(wheel: Path) -> dict[str, bytes]:
    """The files of a wheel by name."""
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copy_source(tmp_path_factory.mktemp("source"))


@pytest.fixture(scope="module")
def wheel(source: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    return content(build_wheel(source, tmp_path_factory.mktemp("wheel")))


def expected_files(top: str, inside: str) -> dict[str, bytes]:
    """The files below the repository's directory `top`, by the name that they have in the wheel below `inside`."""
    root = REPOSITORY / top
    files = [path for path in root.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    return {f"{inside}/{path.relative_to(root).as_posix()}": path.read_bytes() for path in files}


def test_wheel_holds_package_and_data_and_nothing_else(wheel: dict[str, bytes]) -> None:
    assert {name: data for name, data in wheel.items() if ".dist-info/" not in name} == {
        **expected_files("quantune_mlir", "quantune_mlir"),
        **expected_files("dialects", "quantune_mlir/dialects"),
        **expected_files("pipelines", "quantune_mlir/pipelines"),
    }


def test_wheel_carries_licence_and_both_commands(wheel: dict[str, bytes]) -> None:
    metadata = {name.partition(".dist-info/")[2]: data for name, data in wheel.items()}
    assert metadata["licenses/LICENSE"] == (REPOSITORY / "LICENSE").read_bytes()
    assert b"quantune = quantune_mlir.cli.entry:quantune" in metadata["entry_points.txt"]
    assert b"quantune-opt = quantune_mlir.cli.entry:quantune_opt" in metadata["entry_points.txt"]


def test_sdist_builds_the_same_wheel(source: Path, wheel: dict[str, bytes], tmp_path: Path) -> None:
    sdist = build_sdist(source, tmp_path)
    with tarfile.open(sdist) as archive:
        archive.extractall(tmp_path / "unpacked", filter="data")
    (unpacked,) = (tmp_path / "unpacked").iterdir()
    assert content(build_wheel(unpacked, tmp_path / "wheel")) == wheel


@pytest.mark.parametrize("name", ["dialects", "pipelines"])
def test_checkout_reaches_the_data_through_the_package(name: str) -> None:
    assert (REPOSITORY / "quantune_mlir" / name).resolve() == REPOSITORY / name
