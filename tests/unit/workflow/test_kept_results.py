"""Keys of whole commands, and what is kept under them."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from quantune_mlir.files import resources
from quantune_mlir.files.access import file_digest
from quantune_mlir.hardware import host_isa
from quantune_mlir.workflow import kept_results, made_with
from quantune_mlir.workflow.kept_results import ResultKey, find_result, keep_files, keep_told


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QUANTUNE_CACHE", str(tmp_path / "cache"))


def _key(parameters: Mapping[str, Any], arguments: Sequence[str]) -> str | None:
    found = ResultKey.of(parameters, arguments)
    return None if found is None else found.text


def test_what_is_kept_comes_back_and_what_was_altered_does_not(tmp_path: Path) -> None:
    (tmp_path / "out" / "c-bundle").mkdir(parents=True)
    (tmp_path / "out" / "a").write_bytes(b"one\ntwo")
    (tmp_path / "out" / "c-bundle" / "b").write_bytes(b"")
    keep_files("ab" * 32, tmp_path / "out")
    assert find_result("ab" * 32) is None, "what was told is not there yet"
    keep_told("ab" * 32, ["a note"], ["told", ""])
    found = find_result("ab" * 32)
    assert found is not None and (found.notes, found.outcome) == (["a note"], ["told", ""])
    (tmp_path / "again").mkdir()
    found.write(tmp_path / "again")
    assert (tmp_path / "again" / "a").read_bytes() == b"one\ntwo"
    assert (tmp_path / "again" / "c-bundle" / "b").read_bytes() == b""
    entry = next(path for path in (tmp_path / "cache").rglob("*") if path.is_file())
    content = bytearray(entry.read_bytes())
    content[-1] ^= 1
    entry.write_bytes(content)
    assert find_result("ab" * 32) is None


def test_a_key_tells_what_files_and_folders_hold(tmp_path: Path) -> None:
    model, data = tmp_path / "m.onnx", tmp_path / "data"
    data.mkdir()
    (data / "a.npy").write_bytes(b"1")
    (tmp_path / "c.npy").write_bytes(b"2")
    model.write_bytes(b"3")
    given = {"model": model, "calibration": data, "constants": (f"x={tmp_path / 'c.npy'}",), "samples": 100}
    keys = {_key(given, [])}
    assert _key(given, []) in keys
    for path in (data / "a.npy", data / "b.npy", tmp_path / "c.npy", model):
        path.write_bytes(b"other")
        keys.add(_key(given, []))
    keys |= {_key(given | {"samples": 99}, []), _key(given, ["--samples", "100"])}
    assert len(keys) == 7 and None not in keys


def test_a_key_tells_of_code_versions_and_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keys = {_key({}, [])}
    for module, name, value in (
        (made_with, "installed_version", lambda _: "9"),
        (made_with, "cpu_name", lambda: "another"),
        (made_with, "host_flags", lambda: frozenset({"none"})),
        (resources, "code_digest", lambda: "another"),
    ):
        with monkeypatch.context() as context:
            context.setattr(module, name, value)
            made_with.made_with.cache_clear()
            keys.add(_key({}, []))
    made_with.made_with.cache_clear()
    assert len(keys) == 5 and host_isa.cpu_name() != "another"


def test_nothing_is_kept_of_what_cannot_be_read_twice_or_is_too_much(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "file").write_bytes(b"123")
    assert _key({"model": tmp_path / "pipe"}, []) is None
    assert _key({"model": tmp_path}, []) is None
    assert _key({"model": tmp_path / "nothing"}, []) is None
    assert _key({"options": object()}, []) is None
    (tmp_path / "data").mkdir()
    for name in "abc":
        (tmp_path / "data" / name).touch()
    with monkeypatch.context() as context:
        context.setattr(kept_results, "_MOST_FILES", 2)
        assert _key({"calibration": tmp_path / "data"}, []) is None
    assert _key({"calibration": tmp_path / "data"}, []) is not None
    monkeypatch.setattr(kept_results, "_LARGEST", 2)
    assert _key({"model": tmp_path / "file"}, []) is None


def test_a_file_that_was_changed_meanwhile_is_noticed(tmp_path: Path) -> None:
    model, data = tmp_path / "m.onnx", tmp_path / "data"
    data.mkdir()
    model.write_bytes(b"1")
    changes = {"nothing": lambda: None, "content": lambda: model.write_bytes(b"2"), "folder": (data / "new.npy").touch}
    for what, change in changes.items():
        key = ResultKey.of({"model": model, "calibration": data}, [])
        assert key is not None
        made: Any = SimpleNamespace(
            model=SimpleNamespace(hash=file_digest(model)), trials=(), policy=SimpleNamespace(measures=False)
        )
        change()
        assert key.is_repeatable(made, model) == (what == "nothing")
