"""What a model file is that is no ONNX file, and how to make one of it."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

from quantune_mlir.errors import ModelError

_HEAD: Final = 4096
_TF2ONNX: Final = "convert it: python -m tf2onnx.convert {option} {file} --output model.onnx (package tf2onnx)"
_TORCH: Final = "export it where the network is defined: torch.onnx.export(network, example_input, 'model.onnx')"
_KERAS: Final = "export it: keras.models.load_model('{file}').export('model.onnx', format='onnx')"


def refuse_other_kinds(path: Path) -> None:
    """Say what a file of another known format is. One of none that is known passes.

    Raises:
        ModelError: what it is, and how to make an ONNX file of it.
    """
    if path.is_dir():
        if (path / "saved_model.pb").exists():
            raise _error(path, "a TensorFlow SavedModel", _TF2ONNX.replace("{option}", "--saved-model"))
        return
    if not path.is_file():
        return
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD)
    except OSError:
        return
    for is_kind, kind, remedy in _KINDS:
        if is_kind(path, head):
            raise _error(path, kind, remedy)


def _error(path: Path, kind: str, remedy: str) -> ModelError:
    return ModelError(f"not an ONNX model: this is {kind}", where=str(path), remedy=remedy.replace("{file}", str(path)))


def _members(path: Path, head: bytes) -> list[str]:
    if not head.startswith(b"PK"):
        return []
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.namelist()
    except (OSError, zipfile.BadZipFile, NotImplementedError):
        return []


def _begins(*magics: bytes) -> Callable[[Path, bytes], bool]:
    return lambda path, head: any(head.startswith(magic) for magic in magics)


def _holds(name: str) -> Callable[[Path, bytes], bool]:
    """An archive with such a member."""
    return lambda path, head: any(f"/{member}".endswith(f"/{name}") for member in _members(path, head))


def _is_called(*suffixes: str) -> Callable[[Path, bytes], bool]:
    return lambda path, head: path.suffix.lower() in suffixes


def _is_safetensors(path: Path, head: bytes) -> bool:
    return head[8:10] == b'{"' and int.from_bytes(head[:8], "little") < path.stat().st_size


def _is_ort(path: Path, head: bytes) -> bool:
    return head[4:8] == b"ORTM"


_KINDS: Final[tuple[tuple[Callable[[Path, bytes], bool], str, str], ...]] = (
    (_begins(b"\x89HDF\r\n\x1a\n"), "a Keras model in HDF5, or weights of one", _KERAS),
    (_holds("config.json"), "a Keras model", _KERAS),
    (_holds("constants.pkl"), "a TorchScript module", _TORCH.replace("network,", "torch.jit.load('{file}'),")),
    (_holds("data.pkl"), "a PyTorch checkpoint", _TORCH),
    (_holds("serialized_exported_program.json"), "a program of torch.export", _TORCH),
    (_holds("models/model.json"), "a program of torch.export", _TORCH),
    (_is_safetensors, "weights in safetensors, without a network", _TORCH),
    (_begins(b"version https://git-lfs"), "a pointer of Git LFS, not the file itself", "fetch it: git lfs pull"),
    (_begins(b"<!DOCTYPE", b"<!doctype", b"<html"), "a web page", "download the model's file itself"),
    (_begins(b'<?xml version="1.0"', b"<net "), "an XML file, perhaps of OpenVINO", "export the model to ONNX"),
    (_is_ort, "a model in ONNX Runtime's own format", "give the ONNX file that it was made from"),
    (_begins(b"7767517"), "an NCNN model", "give the ONNX file that it was made from"),
    (
        _begins(b"\x1f\x8b", b"BZh", b"\xfd7zXZ", b"PK"),
        "a compressed file",
        "unpack it, and give the .onnx file inside",
    ),
    (_begins(b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05"), "a Python pickle, perhaps of PyTorch", _TORCH),
    (_is_called(".pt", ".pth", ".ckpt"), "a PyTorch file, by its name", _TORCH),
    (_is_called(".pb"), "a TensorFlow graph, by its name", _TF2ONNX.replace("{option}", "--graphdef")),
    (_is_called(".mlmodel"), "a Core ML model, by its name", "give the model that it was made from, as ONNX"),
    (
        _is_called(".engine", ".trt", ".plan"),
        "a TensorRT engine, by its name",
        "give the ONNX file that it was made from",
    ),
)
