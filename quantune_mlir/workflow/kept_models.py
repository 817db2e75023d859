"""Models as they were imported and simplified, kept by content in the user's cache: to read one takes less time."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from quantune_mlir.backend.compile_cache import cache_in_use, digest
from quantune_mlir.errors import QuantuneError
from quantune_mlir.files.access import file_digest
from quantune_mlir.mlir.bindings import make_context
from quantune_mlir.mlir.signature import model_hash
from quantune_mlir.mlir.text import module_bytecode, parse_module
from quantune_mlir.model import Model
from quantune_mlir.samples.sample_set import ArrayShapes
from quantune_mlir.workflow.made_with import made_with


def load_model(path: Path, samples: Path, imported: Mapping[str, Any], content: str | None = None) -> Model:
    """What `Model.load` gives with samples and further options, and the SHA-256 of the file, if that is known.

    Nothing is kept of a model that is edited, or that other files belong to. Raises as `Model.load` does.
    """
    cache, content = cache_in_use(), content or _digest_or_none(path)
    edited = any(imported[edit] for edit in ("constants", "inputs", "outputs"))
    shapes = None if edited else _shapes_or_none(samples)
    if cache is None or content is None or shapes is None:
        return Model.load(path, samples=samples, **imported)
    told = json.dumps([imported["batch"], imported["shapes"], shapes], sort_keys=True)
    key = digest("model", content, told, made_with())
    kept = cache.get(key)
    if kept is not None:
        return Model(parse_module(bytes(kept), make_context()), made_from=key)
    model = Model.load(path, samples=samples, **imported)
    if model_hash(model.module.operation) != content:
        return model
    cache.put(key, module_bytecode(model.module))
    return replace(model, made_from=key)


def _digest_or_none(path: Path) -> str | None:
    """Of what the file holds; None if it is none."""
    try:
        return file_digest(path) if path.is_file() else None
    except (OSError, ValueError):
        return None


def _shapes_or_none(samples: Path) -> dict[str, tuple[int, ...]] | None:
    """Of the arrays of samples; None if they cannot be read."""
    try:
        return dict(ArrayShapes(samples))
    except QuantuneError:
        return None
