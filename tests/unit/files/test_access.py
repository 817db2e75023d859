"""Reading what may be no file at all, and writing whole files."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from quantune_mlir.errors import DataError, OutputError
from quantune_mlir.files.access import check_writable, read_file, write_atomically
from quantune_mlir.files.staging import scratch_directory, staged_file


def test_a_pipe_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(DataError, match="is a pipe, not a file"):
        read_file(tmp_path / "pipe", limit=10, error=DataError)


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("/dev/zero", "is a device"),
        ("/", "is a folder"),
        ("no", "No such file"),
        ("x" * 300, "too long"),
        ("\0", "null"),
    ],
)
def test_what_is_no_file_is_refused(path: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_file(Path(path), limit=10, error=DataError)


def test_large_files_are_refused(tmp_path: Path) -> None:
    with (tmp_path / "large").open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(DataError, match="has 1099511627776 bytes; at most 10 are read"):
        read_file(tmp_path / "large", limit=10, error=DataError)


def test_what_is_no_file_is_written_not_replaced(tmp_path: Path) -> None:
    """As /dev/null, which a rename would take from everyone."""
    os.mkfifo(tmp_path / "pipe")
    check_writable(tmp_path / "pipe")
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    write_atomically(tmp_path / "pipe", b"data")
    assert os.read(reader, 10) == b"data" and stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)
    os.close(reader)


def test_links_stay_links(tmp_path: Path) -> None:
    (tmp_path / "target").write_bytes(b"old")
    (tmp_path / "link").symlink_to("target")
    write_atomically(tmp_path / "link", b"new")
    assert (tmp_path / "link").is_symlink() and (tmp_path / "target").read_bytes() == b"new"


def test_long_names(tmp_path: Path) -> None:
    write_atomically(tmp_path / ("x" * 255), b"")
    with pytest.raises(OutputError, match="File name too long"):
        check_writable(tmp_path / ("x" * 256))


def test_only_what_nobody_writes_is_a_leftover(tmp_path: Path) -> None:
    left = tmp_path / ".x.dead.quantune"
    left.write_text("")
    with staged_file(tmp_path / "x") as (_, first):
        assert not left.exists()
        with staged_file(tmp_path / "x") as (_, second):
            assert first.exists() and second.exists()
    assert list(tmp_path.iterdir()) == []


def test_temporary_files_of_killed_runs_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    left = tmp_path / f"quantune-{os.getuid()}-dead.quantune"
    left.mkdir()
    with scratch_directory() as first, scratch_directory() as second:
        assert sorted(tmp_path.iterdir()) == sorted([first, second])
    assert list(tmp_path.iterdir()) == []
