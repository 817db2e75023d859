"""Imported models in the user's cache."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from quantune_mlir.mlir.text import module_bytecode
from quantune_mlir.model import Model
from quantune_mlir.workflow.kept_models import load_model
from tests.onnx_models import OneNode

_PLAIN: dict[str, Any] = {"batch": 1, "shapes": {}, "constants": {}, "inputs": [], "outputs": []}


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QUANTUNE_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def imports(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The files that were imported in earnest."""
    done: list[Path] = []
    load = Model.load

    def counted(path: Path, **options: Any) -> Model:
        done.append(path)
        return load(path, **options)

    monkeypatch.setattr(Model, "load", staticmethod(counted))
    return done


@pytest.fixture
def samples(tmp_path: Path) -> Path:
    np.savez(tmp_path / "samples.npz", x=np.zeros((3, 4), np.float32))
    return tmp_path / "samples.npz"


def _product(weights: float) -> onnx.ModelProto:
    return OneNode("MatMul", {"x": np.ones((1, 4), np.float32)}, {"w": np.full((4, 4), weights, np.float32)}).model()


def test_a_model_is_imported_once_until_file_or_options_change(
    tmp_path: Path, samples: Path, imports: list[Path]
) -> None:
    path = tmp_path / "m.onnx"
    onnx.save(_product(1), path)
    first, again = (load_model(path, samples, _PLAIN) for _ in range(2))
    assert module_bytecode(first.module) == module_bytecode(again.module) and len(imports) == 1
    shaped = load_model(path, samples, _PLAIN | {"shapes": {"x": [1, 4]}})
    onnx.save(_product(2), path)
    changed = load_model(path, samples, _PLAIN)
    assert len(imports) == 3 and changed.hash != first.hash
    assert first.made_from == again.made_from and len({each.made_from for each in (first, shaped, changed)}) == 3


def test_an_entry_that_was_altered_is_made_again(tmp_path: Path, samples: Path, imports: list[Path]) -> None:
    path = tmp_path / "m.onnx"
    onnx.save(_product(1), path)
    load_model(path, samples, _PLAIN)
    [entry] = [file for file in (tmp_path / "cache").rglob("*") if file.is_file()]
    entry.write_bytes(entry.read_bytes()[:-1] + b"?")
    load_model(path, samples, _PLAIN)
    assert len(imports) == 2


@pytest.mark.parametrize("edit", [{"outputs": ["y"]}, {"inputs": ["x"]}])
def test_an_edited_model_is_imported_each_time(
    edit: dict[str, Any], tmp_path: Path, samples: Path, imports: list[Path]
) -> None:
    onnx.save(_product(1), tmp_path / "m.onnx")
    for _ in range(2):
        load_model(tmp_path / "m.onnx", samples, _PLAIN | edit)
    assert len(imports) == 2


def test_a_model_with_weights_in_another_file_is_imported_each_time(
    tmp_path: Path, samples: Path, imports: list[Path]
) -> None:
    path = tmp_path / "m.onnx"
    onnx.save(_product(1), path, save_as_external_data=True, location="w.bin", size_threshold=0)
    load_model(path, samples, _PLAIN)
    onnx.save(_product(2), path, save_as_external_data=True, location="w.bin", size_threshold=0)
    assert load_model(path, samples, _PLAIN).made_from is None and len(imports) == 2
