from __future__ import annotations

import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
SHIPPED = ("quantune_mlir", "dialects", "pipelines", "pyproject.toml", "README.md", "LICENSE", ".gitignore")

pytestmark = pytest.mark.slow


def build_wheel(source: Path, output: Path) -> dict[str, bytes]:
    """Build the wheel of the source tree at `source` and return the content of its files by name."""
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(output), str(source)]
    subprocess.run(command, check=True)
    (wheel,) = output.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the source tree, links kept, so that building leaves nothing behind; with a test that must stay out."""
    copy = tmp_path_factory.mktemp("source")
    for name in SHIPPED:
        if (REPOSITORY / name).is_dir():
            ignore = shutil.ignore_patterns("__pycache__")
            shutil.copytree(REPOSITORY / name, copy / name, symlinks=True, ignore=ignore)
        else:
            shutil.copy(REPOSITORY / name, copy)
    (copy / "tests").mkdir()
    (copy / "tests" / "test_something.py").touch()
    return copy


@pytest.fixture(scope="module")
def wheel(source: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    return build_wheel(source, tmp_path_factory.mktemp("wheel"))


def expected_files(top: str, inside: str) -> dict[str, bytes]:
    """The files below the repository's directory `top`, by the name that they have in the wheel below `inside`."""
    root = REPOSITORY / top
    files = [path for path in root.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    return {f"{inside}/{path.relative_to(root).as_posix()}": path.read_bytes() for path in files}


def test_wheel_holds_package_and_data_and_nothing_else(wheel: dict[str, bytes]) -> None:
    content = {name: data for name, data in wheel.items() if ".dist-info/" not in name}
    assert content == {
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
    hatchling = "import hatchling.build as b, sys; print(b.build_sdist(sys.argv[1]))"
    subprocess.run([sys.executable, "-c", hatchling, str(tmp_path)], cwd=source, check=True)
    (sdist,) = tmp_path.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        archive.extractall(tmp_path / "unpacked", filter="data")
    (unpacked,) = (tmp_path / "unpacked").iterdir()
    assert build_wheel(unpacked, tmp_path / "wheel") == wheel


@pytest.mark.parametrize("name", ["dialects", "pipelines"])
def test_checkout_reaches_the_data_through_the_package(name: str) -> None:
    assert (REPOSITORY / "quantune_mlir" / name).resolve() == REPOSITORY / name
