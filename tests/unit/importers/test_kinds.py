"""Files of other kinds are called what they are."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest

from quantune_mlir.errors import ModelError
from quantune_mlir.importers.onnx import import_onnx

SAFETENSORS = len(b'{"w":{}}').to_bytes(8, "little") + b'{"w":{}}'


def archive(path: Path, *members: str) -> None:
    with zipfile.ZipFile(path, "w") as file:
        for member in members:
            file.writestr(member, json.dumps({}))


def message(path: Path) -> str:
    with pytest.raises(ModelError) as caught:
        import_onnx(path)
    assert caught.value.where == str(path)
    assert caught.value.remedy
    return str(caught.value)


@pytest.mark.parametrize(
    ("name", "content", "kind", "remedy"),
    [
        ("m.h5", b"\x89HDF\r\n\x1a\n" + bytes(40), "Keras", "format='onnx'"),
        ("m.safetensors", SAFETENSORS, "safetensors", "torch.onnx.export"),
        ("m.pb", b"\n\x05\n\x03abc" + bytes(10), "TensorFlow graph", "--graphdef"),
        ("m.pth", b"\x80\x02}q\x00." + bytes(10), "pickle", "torch.onnx.export"),
        ("m.onnx", b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "Git LFS", "git lfs pull"),
        ("m.onnx", b"<!DOCTYPE html><html></html>", "web page", "download"),
        ("m.ort", b"\x20\x00\x00\x00ORTM" + bytes(40), "ONNX Runtime", "ONNX file"),
        ("m.onnx.gz", b"\x1f\x8b" + bytes(40), "compressed", "unpack"),
    ],
)
def test_known_by_its_first_bytes(tmp_path: Path, name: str, content: bytes, kind: str, remedy: str) -> None:
    (tmp_path / name).write_bytes(content)
    text = message(tmp_path / name)
    assert kind in text
    assert remedy in text


@pytest.mark.parametrize(
    ("name", "members", "kind"),
    [
        ("m.keras", ("metadata.json", "config.json", "model.weights.h5"), "a Keras model"),
        ("m.pt", ("m/data.pkl", "m/version"), "PyTorch checkpoint"),
        ("m.pt", ("m/data.pkl", "m/constants.pkl", "m/code/x.py"), "TorchScript"),
        ("m.zip", ("model.onnx",), "compressed"),
    ],
)
def test_known_by_what_an_archive_holds(tmp_path: Path, name: str, members: tuple[str, ...], kind: str) -> None:
    archive(tmp_path / name, *members)
    assert kind in message(tmp_path / name)


def test_saved_model_is_a_directory(tmp_path: Path) -> None:
    (tmp_path / "saved_model.pb").write_bytes(b"")
    assert "SavedModel" in message(tmp_path)
