"""The output directory of a quantization: written as a whole or not at all."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from quantune_mlir.errors import OutputError
from quantune_mlir.files import default_mode, probe_directory

FP32: Final = "fp32.mlir"
PROFILE: Final = "profile.npz"
SENSITIVITY: Final = "sensitivity.yaml"
PLAN: Final = "plan.yaml"
MIXED: Final = "mixed.mlir"
PROGRAM: Final = "model.vmfb"
SUMMARY: Final = "summary.json"
TILES: Final = "tiles.yaml"
"""Only there if the programs were compiled with tuned tiles."""


@dataclass(frozen=True)
class Artifacts:
    """Paths inside an output directory."""

    directory: Path

    @staticmethod
    def open(directory: Path | str) -> Artifacts:
        """The artifacts in an existing output directory.

        Raises:
            OutputError: it is missing, or not an output directory of `quantune quantize`.
        """
        directory = Path(directory)
        missing = [name for name in (FP32, PROFILE, MIXED, PROGRAM, SUMMARY) if not (directory / name).is_file()]
        if missing:
            raise OutputError(
                "not an output directory of `quantune quantize`: it lacks " + ", ".join(missing),
                where=str(directory),
                remedy="run `quantune quantize MODEL --calibration DATA --output DIR` first",
            )
        return Artifacts(directory)

    def __getitem__(self, name: str) -> Path:
        return self.directory / name


def check_output(directory: Path, *, force: bool) -> None:
    """Fail early if `directory` cannot become an output directory.

    Raises:
        OutputError: it exists and `force` is not given, is no directory of ours, or its place cannot be written.
    """
    if directory.exists() or directory.is_symlink():
        if not force:
            raise OutputError("exists already", where=str(directory), remedy="choose another, or give --force")
        if not directory.is_dir() or (any(directory.iterdir()) and not (directory / SUMMARY).is_file()):
            raise OutputError(
                "is not an output directory of `quantune quantize`, so --force does not replace it",
                where=str(directory),
                remedy="choose another",
            )
    parent = directory.absolute().parent
    while not parent.exists():
        parent = parent.parent
    probe_directory(parent, where=directory)


@contextmanager
def written_as_a_whole(directory: Path) -> Generator[Artifacts]:
    """A directory beside `directory` that takes its place, and that of an older one, when all went well.

    Raises:
        OutputError: the place cannot be written.
    """
    try:
        directory.absolute().parent.mkdir(parents=True, exist_ok=True)
        staging = Path(tempfile.mkdtemp(dir=directory.absolute().parent, prefix=f".{directory.name}."))
    except OSError as error:
        raise OutputError(f"cannot be written: {error.strerror}", where=str(directory)) from error
    try:
        yield Artifacts(staging)
        staging.chmod(default_mode(0o777))
        _take_place(staging, directory)
    except OSError as error:
        raise OutputError(f"cannot be written: {error.strerror}", where=str(directory)) from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _take_place(staging: Path, directory: Path) -> None:
    if not directory.exists():
        staging.rename(directory)
        return
    older = staging.with_name(staging.name + ".old")
    directory.rename(older)
    try:
        staging.rename(directory)
    except OSError:
        older.rename(directory)
        raise
    shutil.rmtree(older, ignore_errors=True)
