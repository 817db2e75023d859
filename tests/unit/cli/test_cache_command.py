"""`quantune cache` and `--no-cache`."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from quantune_mlir.backend.compile_cache import CACHE_VARIABLE, user_cache
from quantune_mlir.cli.quantune import main

MODULE = "func.func @main(%x: tensor<4xf32>) -> tensor<4xf32> { return %x : tensor<4xf32> }"


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "cache"))
    (tmp_path / "x.mlir").write_text(MODULE)
    return tmp_path


def quantune(*arguments: str) -> str:
    result = CliRunner().invoke(main, list(arguments), catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def test_it_is_shown_and_emptied(place: Path) -> None:
    quantune("compile", str(place / "x.mlir"), "-o", str(place / "y.vmfb"))
    assert user_cache().usage().entries > 0
    assert "of at most 2048 MiB in " in quantune("cache")
    assert quantune("cache", "--clear").endswith("entries, removed\n")
    assert " 0.0 of at most" in quantune("cache")


def test_without_it_nothing_is_kept(place: Path) -> None:
    quantune("compile", str(place / "x.mlir"), "-o", str(place / "y.vmfb"), "--no-cache")
    assert user_cache().usage().entries == 0
    quantune("compile", str(place / "x.mlir"), "-o", str(place / "z.vmfb"))
    assert (place / "y.vmfb").read_bytes() == (place / "z.vmfb").read_bytes()
