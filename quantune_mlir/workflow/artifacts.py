"""The output directory of a quantization: written as a whole or not at all."""

from __future__ import annotations

import errno
import json
import os
import shutil
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from quantune_mlir.errors import OutputError, QuantuneError
from quantune_mlir.files.access import MIB, default_mode, read_file, unwritable
from quantune_mlir.files.format_versions import check_version, known_versions
from quantune_mlir.files.staging import MARK, prefix_of, staged_directory

FP32: Final = "fp32.mlir"
PROFILE: Final = "profile.npz"
SENSITIVITY: Final = "sensitivity.yaml"
PLAN: Final = "plan.yaml"
MIXED: Final = "mixed.mlir"
PROGRAM: Final = "model.vmfb"
"""Not there where the target has no floats, the plan has, and something else was to be delivered."""
SUMMARY: Final = "summary.json"
REPORT: Final = "report.html"
CONFIG: Final = "config.yaml"
"""The options of the command that wrote it; not there if Python did."""
TILES: Final = "tiles.yaml"
"""Only there if the programs were compiled with tuned tiles."""
QDQ: Final = "qdq.onnx"
"""Only there if it was asked for."""
PROGRAMS: Final = ".programs"
"""What `evaluate` and `bench` compiled."""

KERNELS: Final = "kernels.o"
"""Every deliverable that is a folder has it."""
FOLDERS: Final = frozenset({"c-bundle", "static-library"})
"""Deliverables beside the rest."""

_FILES: Final = frozenset(
    {
        *(FP32, PROFILE, SENSITIVITY, PLAN, MIXED, PROGRAM, SUMMARY, REPORT, CONFIG, TILES, QDQ),
        *("evaluation.json", "bench.json"),
    }
)
"""What may be replaced with the directory: what is written to it, and what `make demo` and the README put there."""
_BUILD_FILES: Final = frozenset({"CMakeLists.txt", "Makefile", "README.md", "board.ld"})
_C_SUFFIXES: Final = frozenset({".a", ".bin", ".c", ".elf", ".h", ".o", ".S"})
_LARGEST_SUMMARY: Final = 64 * MIB
_OLD: Final = f"{MARK}-old"
_LONGEST_NAME: Final = 255
_LONGEST_PATH: Final = 4000
_TAKEN: Final = {errno.EEXIST, errno.ENOTEMPTY, errno.ENOTDIR, errno.EISDIR}


@dataclass(frozen=True)
class ArtifactKind:
    """Directories that a command writes, and may replace.

    Attributes:
        command: which.
        is_ours: whether an entry can be of its making.
        check: raises QuantuneError, saying why, unless a directory that is not empty is of its making.
    """

    command: str
    is_ours: Callable[[os.DirEntry[str]], bool]
    check: Callable[[Path], object]


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
        missing = [name for name in (FP32, PROFILE, MIXED, SUMMARY) if not (directory / name).is_file()]
        if missing:
            raise OutputError(
                "not an output directory of `quantune quantize`: it lacks " + ", ".join(missing),
                where=str(directory),
                remedy="run `quantune quantize MODEL --calibration DATA --output DIR` first",
            )
        return Artifacts(directory)

    def __getitem__(self, name: str) -> Path:
        return self.directory / name


def read_summary(path: Path) -> dict[str, object]:
    """The content of a summary.json. Raises OutputError for anything else."""
    from quantune_mlir.report.summary_file import Summary

    try:
        summary = json.loads(read_file(path, limit=_LARGEST_SUMMARY, error=OutputError))
    except (ValueError, RecursionError) as error:
        raise _no_summary(path, str(error)) from error
    parts = ("versions", "options", "model") if isinstance(summary, dict) else ()
    if not parts or not all(isinstance(summary.get(part), dict) for part in parts):
        raise _no_summary(path, "it lacks `versions`, `options` or `model`")
    check_version(summary.get("format"), known_versions(Summary), error=OutputError, where=str(path))
    return summary


def _no_summary(path: Path, why: str) -> OutputError:
    return OutputError(
        f"is not a summary of `quantune quantize`: {why}", where=str(path), remedy="quantize the model again"
    )


def _check_summary(directory: Path) -> None:
    try:
        read_summary(directory / SUMMARY)
    except QuantuneError as error:
        raise OutputError(f"{SUMMARY} {error.what}") from error


def _check_delivered(directory: Path) -> None:
    if not (directory / KERNELS).is_file():
        raise OutputError(f"it lacks {KERNELS}")


def _is_of_quantization(entry: os.DirEntry[str]) -> bool:
    if entry.name in FOLDERS and entry.is_dir(follow_symlinks=False):
        with os.scandir(entry.path) as entries:
            return all(map(_is_delivered, entries))
    if entry.name == PROGRAMS:
        return entry.is_dir(follow_symlinks=False)
    return entry.name in _FILES and entry.is_file(follow_symlinks=False)


def _is_delivered(entry: os.DirEntry[str]) -> bool:
    """A deliverable's file, or what its Makefile makes."""
    named = entry.name in _BUILD_FILES or Path(entry.name).suffix in _C_SUFFIXES
    return named and entry.is_file(follow_symlinks=False)


QUANTIZATION: Final = ArtifactKind("quantune quantize", _is_of_quantization, _check_summary)
DELIVERED: Final = ArtifactKind("quantune compile", _is_delivered, _check_delivered)


def check_output(directory: Path, *, force: bool, kind: ArtifactKind = QUANTIZATION) -> None:
    """Fail early if `directory` cannot become an output directory of this kind.

    Raises:
        OutputError: it exists and `force` is not given, is no directory of ours, or its place cannot be written.
    """
    place = _place(directory)
    _require_free(place, directory, kind, force=force)
    try:
        _check_lengths(place)
        nearest = place
        while not nearest.parent.exists():
            nearest = nearest.parent
        with staged_directory(nearest):
            pass
    except OSError as error:
        raise unwritable(directory, error) from error


def _check_lengths(place: Path) -> None:
    """Raises the OSError that the system would raise where the longest of our files is written."""
    longest = os.fsencode(place / prefix_of(place.name) / SENSITIVITY)
    if len(longest) > _LONGEST_PATH or any(len(part) > _LONGEST_NAME for part in os.fsencode(place).split(b"/")):
        raise OSError(errno.ENAMETOOLONG, os.strerror(errno.ENAMETOOLONG))


@contextmanager
def written_as_a_whole(
    directory: Path, *, force: bool = False, kind: ArtifactKind = QUANTIZATION
) -> Generator[Artifacts]:
    """A directory beside `directory` that takes its place, and that of an older one if `force`, when all went well.

    Raises:
        OutputError: the place cannot be written, or another run took it meanwhile.
    """
    place = _place(directory)
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        with staged_directory(place) as staging:
            yield Artifacts(staging)
            staging.chmod(default_mode(0o777))
            _take_place(staging, place, directory, kind, force=force)
    except OSError as error:
        raise unwritable(directory, error) from error


def _place(directory: Path) -> Path:
    """Where `directory` really is: a link is followed, and stays. What a killed run moved away is put back."""
    try:
        place = Path(os.path.realpath(directory))
        current = Path.cwd()
    except OSError as error:
        raise unwritable(directory, error) from error
    if place == current or place in current.parents:
        raise OutputError("holds the current folder", where=str(directory), remedy="name a new folder")
    for old in _older(place):
        if place.exists():
            shutil.rmtree(old, ignore_errors=True)
        else:
            old.rename(place)
    return place


def _older(place: Path) -> list[Path]:
    """What runs that were killed while they replaced `place` have left of what was there."""
    try:
        names = sorted(os.listdir(place.parent))
    except OSError:
        return []
    return [place.parent / name for name in names if name.startswith(prefix_of(place.name)) and name.endswith(_OLD)]


def _require_free(place: Path, directory: Path, kind: ArtifactKind, *, force: bool) -> None:
    """Raises OutputError unless there is nothing at `place`, or a directory of ours that `force` gives up."""
    try:
        if not os.path.lexists(place) and not os.path.lexists(directory):
            return
        if not force:
            raise OutputError("exists already", where=str(directory), remedy="choose another, or give --force")
        foreign = _foreign(place, kind) if place.exists() else None
    except OSError as error:
        raise unwritable(directory, error) from error
    if foreign is not None:
        raise OutputError(
            f"is not an output directory of `{kind.command}`, so --force does not replace it: {foreign}",
            where=str(directory),
            remedy="choose another",
        )


def _foreign(place: Path, kind: ArtifactKind) -> str | None:
    """What `place` holds that no run of ours can have made; None if there is nothing."""
    if not place.is_dir():
        return "it is a file"
    if os.path.ismount(place):
        return "a file system is mounted there"
    with os.scandir(place) as entries:
        found = sorted(entries, key=lambda entry: entry.name)
    for entry in found:
        if not kind.is_ours(entry) and not _is_staged(entry):
            return f"it holds {entry.name!r}"
    if found:
        try:
            kind.check(place)
        except QuantuneError as error:
            return error.what
    return None


def _is_staged(entry: os.DirEntry[str]) -> bool:
    return entry.name.startswith(".") and entry.name.endswith(MARK) and entry.is_file(follow_symlinks=False)


def _take_place(staging: Path, place: Path, directory: Path, kind: ArtifactKind, *, force: bool) -> None:
    while True:
        _require_free(place, directory, kind, force=force)
        old = staging.with_name(staging.name.removesuffix(MARK) + _OLD)
        try:
            if force and place.exists():
                place.rename(old)
            staging.rename(place)
        except OSError as error:
            if old.exists() and not place.exists():
                old.rename(place)
            elif error.errno in _TAKEN or isinstance(error, FileNotFoundError):
                continue  # Another run was here meanwhile.
            raise
        shutil.rmtree(old, ignore_errors=True)
        return
