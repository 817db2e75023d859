"""Weights that a model keeps in other files: read exactly as much as its tensors have, and no more."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from pathlib import Path
from typing import Final

import onnx
from onnx.external_data_helper import load_external_data_for_tensor, uses_external_data

from quantune_mlir.errors import ModelError
from quantune_mlir.files.access import require_file
from quantune_mlir.importers.onnx.bodies import all_graphs, all_nodes
from quantune_mlir.importers.onnx.stored import element_size

_REMEDY: Final = "put the external data files beside the model, as they were exported"
_TIMES: Final = 4
_BYTES: Final = 256 << 20


def load_external(model: onnx.ModelProto, path: Path) -> list[bytes]:
    """Fill in the external tensors of the model in `path`; what was read, in the model's order.

    Raises:
        ModelError: a file is missing, too short, none, or outside of the model's folder; or many tensors share what
            few files hold.
    """
    places = [(tensor, *_place(tensor, path)) for tensor in _external(model)]
    files = {location: _size(path, location) for location in dict.fromkeys(location for _, location, _ in places)}
    if sum(size for *_, size in places) > _TIMES * sum(files.values()) + _BYTES:
        raise _unreadable(path, "its tensors have far more elements than its files hold")
    return [_load(tensor, path, size) for tensor, _, size in places]


def _size(path: Path, location: str) -> int:
    try:
        return require_file(path.parent / location, ModelError)
    except ModelError as error:
        raise _unreadable(path, str(error).replace("\n", "; ")) from error


def _load(tensor: onnx.TensorProto, path: Path, size: int) -> bytes:
    try:
        load_external_data_for_tensor(tensor, str(path.parent))
    except (OSError, ValueError, RuntimeError, TypeError, OverflowError, onnx.checker.ValidationError) as error:
        raise _unreadable(path, str(error)) from error
    if len(tensor.raw_data) != size:
        raise _unreadable(path, f"tensor {tensor.name!r} has {size} bytes, {len(tensor.raw_data)} are there")
    tensor.data_location = onnx.TensorProto.DEFAULT
    del tensor.external_data[:]
    return tensor.raw_data


def _external(model: onnx.ModelProto) -> Iterator[onnx.TensorProto]:
    for graph in all_graphs(model.graph):
        yield from (tensor for tensor in graph.initializer if uses_external_data(tensor))
    for holder in (model.graph, *model.functions):
        for node in all_nodes(holder):  # type: ignore[arg-type] # a function has nodes as a graph has
            for attribute in node.attribute:
                yield from (tensor for tensor in (attribute.t, *attribute.tensors) if uses_external_data(tensor))


def _place(tensor: onnx.TensorProto, path: Path) -> tuple[str, int]:
    """The file of a tensor, and how many bytes of it are the tensor's; its entry says so from now on."""
    entries = {entry.key: entry.value for entry in tensor.external_data}
    size = element_size(tensor.data_type) * prod(tensor.dims)
    location, length, offset = entries.get("location", ""), entries.get("length"), entries.get("offset", "0")
    if not location or "\0" in location or Path(location).is_absolute() or ".." in Path(location).parts:
        raise _unreadable(path, f"tensor {tensor.name!r} lies in {location!r}, which is not beside the model")
    numbers = (offset, str(size) if length is None else length)
    if size <= 0 or not all(n.isascii() and n.isdigit() and len(n) < 20 for n in numbers) or int(numbers[1]) != size:
        raise _unreadable(path, f"tensor {tensor.name!r} has {size} bytes, its entry says {length} from {offset} on")
    if length is None:
        tensor.external_data.add(key="length", value=str(size))
    return location, size


def _unreadable(path: Path, why: str) -> ModelError:
    return ModelError(
        f"its weights are stored in other files, which cannot be read: {why}", where=str(path), remedy=_REMEDY
    )
