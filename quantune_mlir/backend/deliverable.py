"""The names of what a mixed program can be delivered as."""

from __future__ import annotations

from typing import Final, Literal, get_args

Folder = Literal["c-bundle", "static-library"]
Deliverable = Literal["vmfb", Folder, "qdq-onnx"]
DELIVERABLES: Final[tuple[Deliverable, ...]] = get_args(Deliverable)
DEFAULT_NAME: Final = "model"

Activations = Literal["uint8", "int8"]
"""The type of activations in a QDQ ONNX model."""
