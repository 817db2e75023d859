"""The kernel groups of a module: what is dispatched together, how much work that is, and for which layers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import Final

from quantune_mlir.graph.layers import channel_groups, multiply_accumulates
from quantune_mlir.hardware.throughput import Family, Precision, Work
from quantune_mlir.kernels.fusion.group import Group
from quantune_mlir.kernels.fusion.isolate_group import outside_values
from quantune_mlir.mlir.attributes import LAYER, string_attribute
from quantune_mlir.mlir.bindings import ir
from quantune_mlir.mlir.constants import CONSTANTS, is_constant
from quantune_mlir.mlir.dialects.quantune import FUSED
from quantune_mlir.mlir.edit import copy_module, element_of, shape_of
from quantune_mlir.mlir.function import entry_block, main_function
from quantune_mlir.mlir.tosa.counted_loop import LOOP, CountedLoop
from quantune_mlir.mlir.tosa.traits import traits_of
from quantune_mlir.pipeline.driver import run_named_pipeline

_BYTES = {"i8": 1, "i1": 1, "i16": 2, "i32": 4, "f32": 4, "i48": 8, "i64": 8}
_PRODUCTS: Final[dict[str, Precision]] = {"i32": "int8", "i48": "int16"}


@dataclass(frozen=True)
class KernelGroup:
    """One dispatch, or one op that no kernel computes.

    Attributes:
        op: the `quantune.fused` op, or that op.
        module: what it is in, which lives as long as the group.
        layers: names of the layers whose ops it holds, the root's first.
        work: what it has to do.
    """

    op: ir.Operation
    module: ir.Module
    layers: tuple[str, ...]
    work: Work

    @cached_property
    def key(self) -> str:
        """The same for groups of the same ops on tensors of the same types."""
        return "; ".join(map(_signature, _members(self.op)))


def kernel_groups(module: ir.Module) -> list[KernelGroup]:
    """The kernel groups of `module`, which stays as it is."""
    fused = copy_module(module)
    run_named_pipeline(fused, "fuse")
    ops = [view.operation for view in entry_block(main_function(fused))]
    return [_group(op, fused) for op in ops if _is_work(op)]


def _is_work(op: ir.Operation) -> bool:
    return op.name not in (*CONSTANTS, "func.return") and traits_of(op).moves != "stays"


def _group(op: ir.Operation, module: ir.Module) -> KernelGroup:
    members = list(_members(op))
    root = Group(op).root if op.name == FUSED else op
    first = string_attribute(root, LAYER) if root is not None else None
    names = [name for member in members if (name := string_attribute(member, LAYER))]
    layers = tuple(dict.fromkeys([first, *names] if first else names))
    return KernelGroup(op, module, layers, _work(op, root))


def _members(op: ir.Operation) -> Iterator[ir.Operation]:
    if op.name == LOOP:
        yield op
        for view in op.regions[1].blocks[0]:
            yield from _members(view.operation)
        return
    if op.name != FUSED:
        yield op
        return
    *body, _ = (view.operation for view in op.regions[0].blocks[0].operations)
    yield from body


def _signature(op: ir.Operation) -> str:
    """An op without its name, place and numbers."""
    attributes = [f"{name}={op.attributes[name]}" for name in sorted(op.attributes) if "quantune" not in name]
    if (groups := channel_groups(op)) > 1:
        attributes.append(f"groups={groups}")
    operands = (f"{'const ' if is_constant(value) else ''}{value.type}" for value in op.operands)
    results = (str(result.type) for result in op.results)
    return f"{op.name}({', '.join(operands)}) -> {', '.join(results)} {{{', '.join(attributes)}}}"


def _work_of_loop(op: ir.Operation) -> Work:
    """Its products and elements as often as it goes round, in one dispatch."""
    counted = CountedLoop.of(op)
    rounds = 1 if counted is None else counted.rounds
    bodies = [view.operation for view in op.regions[1].blocks[0] if view.operation.name == FUSED]
    works = [_work(each, Group(each).root) for each in bodies]
    precisions: list[Precision] = [work.precision for work in works if work.macs]
    return Work(
        "dense",
        precisions[0] if precisions else "fp32",
        rounds * sum(work.macs for work in works),
        rounds * sum(work.elements for work in works),
        rounds * sum(work.moved for work in works),
        sum(work.constants for work in works),
    )


def _work(op: ir.Operation, root: ir.Operation | None) -> Work:
    if op.name == LOOP:
        return _work_of_loop(op)
    values = (*outside_values(op), *op.results)
    tensors = [value for value in values if isinstance(value.type, ir.RankedTensorType)]
    blank = 0 if root is None else _between_groups(root)
    moved = sum(_size(value) for value in tensors) - blank
    elements = sum(prod(shape_of(result)) for result in op.results)
    family = _family(root)
    macs = multiply_accumulates(root) if root is not None and family != "other" else 0
    constants = sum(_size(value) for value in tensors if is_constant(value)) - blank
    return Work(family, _precision(root), macs, elements, moved, constants)


def _between_groups(root: ir.Operation) -> int:
    """Bytes of the weights that are 0 between groups of channels: kernels have none of them."""
    groups = channel_groups(root)
    return _size(root.operands[1]) // groups * (groups - 1) if groups > 1 else 0


def _family(root: ir.Operation | None) -> Family:
    weights = traits_of(root).weights if root is not None else None
    if weights is None:
        return "other"
    return "depthwise" if weights.depthwise else "dense"


def _precision(root: ir.Operation | None) -> Precision:
    """Of the products, as the accumulators tell."""
    element = "" if root is None else element_of(root.results[0])
    return _PRODUCTS.get(element, "fp32")


def _size(value: ir.Value) -> int:
    kind = ir.RankedTensorType(value.type)
    return prod(kind.shape) * _BYTES.get(str(kind.element_type), 4)
