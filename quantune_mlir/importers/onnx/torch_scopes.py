"""What PyTorch's exporter tells of the modules that nodes come from, as names of layers."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Sequence
from typing import Final

import onnx

_KEY: Final = "pkg.torch.onnx.name_scopes"
_PRODUCTS: Final = ("Conv", "ConvTranspose", "Gemm", "MatMul")
_WEIGHT: Final = ".weight"
_LONGEST: Final = 10_000


def module_names(nodes: Sequence[onnx.NodeProto]) -> list[str]:
    """For each node its module's name, e.g. "layer1.0.conv1"; "" where nothing tells, or the network itself made it.

    A product belongs to the module whose weights it reads: the exporter folds batch normalizations into convolutions,
    and calls these after the former. A node of a module that has others inside, or nodes of several kinds, is called
    MODULE/KIND.
    """
    scopes = [_module(node) for node in nodes]
    kinds: defaultdict[str, set[str]] = defaultdict(set)
    for scope, node in zip(scopes, nodes, strict=True):
        kinds[scope].add(node.op_type)
    parents = {scope[:end] for scope in kinds for end, letter in enumerate(scope) if letter == "."}
    return [
        scope if not scope or (len(kinds[scope]) == 1 and scope not in parents) else f"{scope}/{node.op_type}"
        for scope, node in zip(scopes, nodes, strict=True)
    ]


def _module(node: onnx.NodeProto) -> str:
    scope = _innermost(node)
    weights = node.input[1] if scope and node.op_type in _PRODUCTS and len(node.input) > 1 else ""
    return weights.removesuffix(_WEIGHT) if weights.endswith(_WEIGHT) else scope


def _innermost(node: onnx.NodeProto) -> str:
    """The last module in a list like ['', 'layer1', 'layer1.0', 'conv2d_3'], which ends with the operation."""
    told = next((entry.value for entry in node.metadata_props if entry.key == _KEY), "")
    if not told or len(told) > _LONGEST:
        return ""
    try:
        scopes = ast.literal_eval(told)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return ""
    if not isinstance(scopes, list) or len(scopes) < 2 or not isinstance(scopes[-2], str):
        return ""
    return scopes[-2]
