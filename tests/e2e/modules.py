"""What tests look at in a module that was written to a file."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from quantune_mlir.mlir.bindings import make_context
from quantune_mlir.mlir.text import load_module


@dataclass(frozen=True)
class Op:
    """An op of @main: its name, its first operand and result as `name: element type`."""

    name: str
    operand: str
    operand_type: str
    result: str
    result_type: str


def operations(path: Path) -> list[Op]:
    """All ops of @main in a module but constants."""
    module = load_module(path, make_context())
    body = module.body.operations[0].operation.regions[0].blocks[0].operations
    return [_describe(op.operation) for op in body if len(op.operation.operands) and len(op.operation.results)]


def _describe(op: Any) -> Op:
    source, result = op.operands[0], op.results[0]
    return Op(op.name, source.get_name(), _element(source), result.get_name(), _element(result))


def _element(value: Any) -> str:
    return str(value.type).removesuffix(">").split("x")[-1]


def dot_inputs(path: Path) -> list[str]:
    """The element types that convolutions and matrix products read, in order."""
    dots = ("tosa.conv2d", "tosa.depthwise_conv2d", "tosa.matmul")
    return [op.operand_type for op in operations(path) if op.name in dots]


def tensor_names(path: Path, attribute: str) -> list[str]:
    """The tensors that an observing program has state for, row by row."""
    rows = load_module(path, make_context()).operation.attributes[attribute]
    return re.findall(r'tensor_name = "([^"]*)"', str(rows))
