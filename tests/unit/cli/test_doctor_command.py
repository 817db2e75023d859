from __future__ import annotations

import json
import platform

import pytest
from click.testing import CliRunner

from quantune_mlir.backend.compile_cache import CACHE_VARIABLE
from quantune_mlir.cli.quantune import main
from quantune_mlir.hardware.host_isa import host_isa
from quantune_mlir.workflow import diagnosis


def test_it_tells_what_is_there_and_what_is_missing() -> None:
    done = CliRunner().invoke(main, ["doctor", "--json", "-"])
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert found["versions"]["python"] == platform.python_version()
    assert found["versions"]["iree-base-compiler"] == "3.13.0"
    assert found["machine"]["kernels' instruction set"] == host_isa()
    assert found["optional"]["onnxruntime"] is not None


def test_it_prints_how_to_have_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(diagnosis, "_found", lambda name, part: None)
    monkeypatch.setenv(CACHE_VARIABLE, "/cache")
    done = CliRunner().invoke(main, ["doctor"])
    assert done.exit_code == 0, done.output
    assert "to have onnxruntime, openvino, nncf: pip install 'quantune-mlir[peers]'" in done.output
    assert max(map(len, done.output.splitlines())) <= 80
