"""Local functions of a model, in the place of their calls."""

from __future__ import annotations

from typing import Final

import onnx
import onnx.inliner

from quantune_mlir.errors import ModelError
from quantune_mlir.importers.onnx.bodies import all_nodes

MOST_NODES: Final = 100_000


def inlined(model: onnx.ModelProto, where: str) -> onnx.ModelProto:
    """The model without local functions.

    Raises:
        ModelError: functions call themselves, or one another so often that too many nodes would come out.
    """
    functions = {(f.domain, f.name): f for f in model.functions}
    sizes: dict[tuple[str, str], int] = {}
    open_calls: set[tuple[str, str]] = set()

    def size_of(nodes: onnx.GraphProto | onnx.FunctionProto) -> int:
        total = 0
        for node in all_nodes(nodes):  # type: ignore[arg-type]
            key = (node.domain, node.op_type)
            total += function_size(key) if key in functions else 1
        if total > MOST_NODES:
            raise ModelError(
                f"has more than {MOST_NODES} nodes", where=where, remedy="give a smaller model, or a part of it"
            )
        return total

    def function_size(key: tuple[str, str]) -> int:
        if key in open_calls or len(open_calls) > _DEEPEST:
            raise ModelError(f"function {key[1]!r} calls itself", where=where, remedy="export the model again")
        if key not in sizes:
            open_calls.add(key)
            sizes[key] = size_of(functions[key])
            open_calls.remove(key)
        return sizes[key]

    size_of(model.graph)
    if not model.functions:
        return model
    try:
        return onnx.inliner.inline_local_functions(model)
    except (ValueError, RuntimeError, onnx.checker.ValidationError) as error:
        raise ModelError(
            f"its functions cannot be inlined: {str(error).strip()}", where=where, remedy="export the model again"
        ) from error


_DEEPEST: Final = 100
