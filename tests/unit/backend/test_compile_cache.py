"""The cache gives back what was put in, or nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from multiprocessing import get_context
from pathlib import Path

import pytest

from quantune_mlir.backend import compile_cache, compiler
from quantune_mlir.backend.compile_cache import (
    CACHE_VARIABLE,
    LIMIT_VARIABLE,
    CompileCache,
    Usage,
    cache_in_use,
    digest,
    user_cache,
    without_cache,
)
from quantune_mlir.backend.compiler import compile_module
from quantune_mlir.errors import QuantuneError
from quantune_mlir.hardware.targets import load_target
from quantune_mlir.mlir.bindings import make_context
from quantune_mlir.mlir.text import parse_module

MIB = 1 << 20
KEY = digest("a program")
CONTENT = b"program" * 1000


@pytest.fixture
def cache(tmp_path: Path) -> CompileCache:
    return CompileCache(tmp_path / "cache", MIB)


def content_of(cache: CompileCache, key: str = KEY) -> bytes | None:
    found = cache.get(key)
    return None if found is None else bytes(found)


def files_of(cache: CompileCache) -> list[Path]:
    return [path for path in cache.directory.rglob("*") if path.is_file()]


def test_what_is_kept_is_found(cache: CompileCache) -> None:
    assert cache.get(KEY) is None
    cache.put(KEY, CONTENT)
    assert content_of(cache) == CONTENT
    assert cache.usage() == Usage(1, 8192)
    cache.clear()
    assert (cache.get(KEY), cache.usage()) == (None, Usage(0, 0))


@pytest.mark.parametrize("damage", ["cut", "empty", "altered", "longer", "of another key"])
def test_what_was_damaged_is_gone(cache: CompileCache, damage: str) -> None:
    cache.put(KEY, CONTENT)
    (file,) = files_of(cache)
    whole = file.read_bytes()
    other = CompileCache(cache.directory.parent / "other", MIB)
    other.put(digest("another"), b"other" * 1400)
    file.write_bytes(
        {
            "cut": whole[:-1],
            "empty": b"",
            "altered": whole[:-1] + b"!",
            "longer": whole + b"!",
            "of another key": files_of(other)[0].read_bytes(),
        }[damage]
    )
    assert cache.get(KEY) is None
    assert not files_of(cache)
    cache.put(KEY, CONTENT)
    assert content_of(cache) == CONTENT


def test_it_keeps_to_its_limit_and_to_what_was_used_last(cache: CompileCache) -> None:
    keys = [digest(str(number)) for number in range(60)]
    content = os.urandom(24000)
    for age, key in enumerate(keys):
        cache.put(key, content)
        assert cache.usage().bytes <= cache.limit
        if age >= 10:
            assert cache.get(keys[0]) is not None, "it was used a moment ago"
        for path in files_of(cache):  # the clock of a file system may be too coarse to tell them apart
            if path.name == key:
                os.utime(path, (age, age))
    assert content_of(cache, keys[-1]) == content
    assert cache.get(keys[1]) is None


def test_what_is_too_large_is_not_kept(cache: CompileCache) -> None:
    cache.put(KEY, bytes(MIB // 2))
    assert cache.usage() == Usage(0, 0)


def test_a_place_that_cannot_be_written_is_no_cache(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    cache = CompileCache(tmp_path / "file", MIB)
    cache.put(KEY, CONTENT)
    assert cache.get(KEY) is None
    assert cache.usage() == Usage(0, 0)


def test_leftovers_of_killed_processes_go(cache: CompileCache) -> None:
    cache.put(KEY, CONTENT)
    leftover = cache.directory / KEY[:2] / ".x.quantune"
    leftover.write_bytes(CONTENT)
    assert cache.usage().entries == 1, "it is no entry"
    cache.trim()
    assert leftover.exists(), "it may be being written"
    long_ago = time.time() - 2 * 3600
    os.utime(leftover, (long_ago, long_ago))
    cache.trim()
    assert not leftover.exists()
    assert content_of(cache) == CONTENT


def _write_and_read(directory: Path) -> int:
    """The number of wrong contents that were read while others wrote, read, trimmed and removed."""
    cache = CompileCache(directory, MIB)
    wrong = 0
    for number in range(150):
        key, content = digest(str(number % 40)), str(number % 40).encode() * 9000
        cache.put(key, content)
        found = cache.get(key)
        wrong += found is not None and bytes(found) != content
    return wrong


def test_ten_processes_at_once(tmp_path: Path) -> None:
    with get_context("spawn").Pool(10) as pool:
        assert pool.map(_write_and_read, [tmp_path] * 10) == [0] * 10
    assert CompileCache(tmp_path, MIB).usage().bytes <= MIB


def test_killed_at_any_moment(tmp_path: Path) -> None:
    """What a process leaves that is killed while it writes is never taken for content."""
    script = (
        "from pathlib import Path; import sys; from quantune_mlir.backend.compile_cache import *\n"
        f"cache = CompileCache(Path({str(tmp_path)!r}), 1 << 30); number = 0\n"
        "while True:\n"
        "    cache.put(digest(str(number % 5)), str(number % 5).encode() * 3000000); number += 1\n"
        "    print('.', flush=True)\n"
    )
    cache = CompileCache(tmp_path, 1 << 30)
    for delay in (0.0, 0.003, 0.011):
        with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            process.stdout.readline()
            time.sleep(delay)
            process.send_signal(signal.SIGKILL)
        for number in range(5):
            found = cache.get(digest(str(number)))
            assert found is None or bytes(found) == str(number).encode() * 3000000


def test_keys_tell_parts_apart() -> None:
    assert len({digest("ab", "c"), digest("a", "bc"), digest("abc"), digest("ab", b"c", b"")}) == 4
    assert digest("ab") == digest(b"ab") == digest(memoryview(b"ab"))


def test_where_it_is_and_how_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path))
    monkeypatch.setenv(LIMIT_VARIABLE, "3")
    cache = user_cache()
    assert (cache.directory.parent, cache.limit) == (tmp_path, 3 * MIB)
    monkeypatch.setenv(LIMIT_VARIABLE, "3 GB")
    with pytest.raises(QuantuneError, match="'3 GB' is no number of MiB"):
        user_cache()


def test_a_module_is_compiled_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path))
    text = "func.func @main(%x: tensor<4xf32>) -> tensor<4xf32> { return %x : tensor<4xf32> }"
    module = parse_module(text, make_context())
    first = compile_module(module, load_target("host"))
    usage = user_cache().usage()
    monkeypatch.setattr(compiler, "iree_compile", lambda *arguments, **others: pytest.fail("compiled again"))
    assert compile_module(parse_module(text, make_context()), load_target("host")) == first
    monkeypatch.undo()
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path))
    with without_cache():
        assert cache_in_use() is None
        assert compile_module(module, load_target("host")) == first
    assert user_cache().usage() == usage
    for path in user_cache().directory.rglob("*"):
        if path.is_file():
            path.write_bytes(path.read_bytes()[:-1])
    assert compile_module(module, load_target("host")) == first
    assert compile_cache.user_cache().usage() == usage
