"""Which handler imports which ONNX operator at which opset."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from quantune_mlir.importers.common.tensor import Tensor
from quantune_mlir.importers.onnx.node import Node

if TYPE_CHECKING:
    from quantune_mlir.importers.common.builder import Builder

Handler = Callable[["Builder", Node], "Tensor | Sequence[Tensor]"]


@dataclass(frozen=True)
class _Entry:
    since: int
    until: int | None
    handler: Handler


_HANDLERS: dict[str, list[_Entry]] = {}


def operator(*op_types: str, since: int = 1, until: int | None = None) -> Callable[[Handler], Handler]:
    """Register a handler for `op_types` in opsets `since` to `until`, both included."""

    def register(handler: Handler) -> Handler:
        for op_type in op_types:
            _HANDLERS.setdefault(op_type, []).append(_Entry(since, until, handler))
        return handler

    return register


def find_handler(op_type: str, opset: int) -> Handler | None:
    """The handler for `op_type` at `opset`, or None."""
    for entry in _HANDLERS.get(op_type, ()):
        if entry.since <= opset and (entry.until is None or opset <= entry.until):
            return entry.handler
    return None


def operator_types() -> list[str]:
    """The op types that have a handler, sorted."""
    return sorted(_HANDLERS)
