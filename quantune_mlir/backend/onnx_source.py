"""The ONNX file that was quantized, held to the hash that was written down, for what is made of the file itself."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Final

from quantune_mlir.errors import ModelError
from quantune_mlir.files.access import write_in_folder
from quantune_mlir.importers.common.edits import Edits
from quantune_mlir.importers.onnx.editing import apply_edits
from quantune_mlir.importers.onnx.loading import load_model, read_model

if TYPE_CHECKING:
    import onnx

GIVE: Final = "give the ONNX file by --model"


def source_graph(path: Path, digest: str, edits: str | None) -> onnx.ModelProto:
    """What a model was imported from, edited as it was then.

    Args:
        path: the model's file.
        digest: what the quantized model's hash is.
        edits: what was changed before it was imported, as text; None: nothing.

    Raises:
        ModelError: it is not there, no ONNX, or another model.
    """
    if not path.is_file():
        raise ModelError("is not there any more", where=str(path), remedy=GIVE)
    loaded = load_model(path)
    if edits is None:
        _require(loaded.digest, digest, path)
        return loaded.proto
    edited = apply_edits(Edits.from_text(edits), loaded.proto, str(path))
    _require(hashlib.sha256(edited.SerializeToString(deterministic=True)).hexdigest(), digest, path)
    return edited


def source_file(path: Path, digest: str, edits: str | None, cache: Path) -> Path:
    """The same as a file: the model's own, or one in `cache` of the part that was quantized.

    Raises:
        ModelError: it is not there, no ONNX, or another model.
        OutputError: the cache cannot be written.
    """
    if edits is not None:
        edited = cache / f"edited-{digest[:24]}.onnx"
        write_in_folder(edited, source_graph(path, digest, edits).SerializeToString(deterministic=True))
        return edited
    try:
        found = read_model(path).digest
    except ModelError as error:
        raise ModelError(error.what, where=error.where, remedy=GIVE) from error
    _require(found, digest, path)
    return path


def _require(found: str | None, digest: str, path: Path) -> None:
    if found != digest:
        raise ModelError("is not the model that was quantized", where=str(path), remedy=GIVE)
