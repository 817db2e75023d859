"""One place tells which front end reads a file, and hands over the same things whatever the kind."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from quantune_mlir.errors import ModelError
from quantune_mlir.importers.common.edits import Edits
from quantune_mlir.importers.common.import_options import ImportOptions
from quantune_mlir.importers.front_ends import MLIR, ONNX, TFLITE, find_front_end, load
from quantune_mlir.mlir.bindings import make_context
from quantune_mlir.mlir.text import module_bytecode, parse_module

DIGITS = Path("tests/data/digits.onnx")
TOSA = """
module attributes {quantune.model = "0"} {
func.func @main(%x: tensor<2xf32> {quantune.name = "x"}) -> (tensor<2xf32> {quantune.name = "y"}) {
  %0 = tosa.abs %x {quantune.layer = "abs", quantune.op = "Abs"} : (tensor<2xf32>) -> tensor<2xf32>
  return %0 : tensor<2xf32>
}
}
"""


@pytest.mark.parametrize(
    ("name", "content", "front_end"),
    [
        ("m.onnx", b"", ONNX),
        ("m.tflite", b"", TFLITE),
        ("m.mlir", b"module {}", MLIR),
        ("M.MLIRBC", b"", MLIR),
        ("m.bin", b"\x1c\x00\x00\x00TFL3", TFLITE),
        ("m.onnx", b"\x1c\x00\x00\x00TFL3", TFLITE),
        ("m.onnx", b"ML\xefR\x0d", MLIR),
        ("m.bin", b"\x08\x0a\x12\x07pytorch", ONNX),
        ("m.bin", b"\x08\xff", ONNX),
        ("m.bin", b"", ONNX),
    ],
)
def test_the_first_bytes_tell_the_kind_then_the_name(tmp_path: Path, name: str, content: bytes, front_end: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    assert find_front_end(path) is front_end


def test_who_asks_says_what_a_file_of_no_known_kind_is(tmp_path: Path) -> None:
    assert find_front_end(tmp_path / "missing", otherwise=MLIR) is MLIR
    assert find_front_end(tmp_path / "missing.onnx", otherwise=MLIR) is ONNX
    assert find_front_end(tmp_path, otherwise=MLIR) is MLIR


def test_an_import_tells_names_hash_and_source() -> None:
    imported = load(DIGITS)
    assert imported.front_end is ONNX
    assert imported.source == DIGITS
    assert imported.hash == hashlib.sha256(DIGITS.read_bytes()).hexdigest()
    assert imported.names == (["input"], ["logits"])
    assert not imported.is_simplified


def test_a_module_of_this_project_is_simplified_already(tmp_path: Path) -> None:
    path = tmp_path / "m"
    path.write_bytes(module_bytecode(parse_module(TOSA, make_context())))
    imported = load(path)
    assert imported.front_end is MLIR
    assert imported.is_simplified
    assert imported.names == (["x"], ["y"])


def test_a_module_of_this_project_cannot_be_edited(tmp_path: Path) -> None:
    path = tmp_path / "m.mlir"
    path.write_text(TOSA)
    with pytest.raises(ModelError, match="fixed already") as caught:
        load(path, ImportOptions(edits=Edits(outputs=["y"])))
    assert caught.value.remedy and "--outputs" in caught.value.remedy
