"""Small edits of IR: who uses a value, an op again with something changed, dead ops away."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from quantune_mlir.mlir.bindings import ir
from quantune_mlir.mlir.tosa.traits import traits_of

_PURE_DIALECTS: Final = ("tosa.", "arith.", "math.", "tensor.")


def defining_op(value: ir.Value, name: str | None = None) -> ir.Operation | None:
    """The op that computes `value`; None for a block argument, or if the op is not called `name`."""
    if isinstance(value, ir.BlockArgument):
        return None
    op = value.owner.operation
    return op if name is None or op.name == name else None


def users(value: ir.Value) -> list[ir.Operation]:
    """The ops that use `value`, each once."""
    return list(dict.fromkeys(use.owner.operation for use in value.uses))


def has_uses(op: ir.Operation) -> bool:
    """Whether anything uses a result of `op`."""
    for result in op.results:
        for _ in result.uses:
            return True
    return False


def shape_of(value: ir.Value) -> tuple[int, ...]:
    """The static shape of a ranked tensor value."""
    return tuple(value.type.shape)


def element_of(value: ir.Value) -> str:
    """The name of the type of a tensor's elements."""
    return str(ir.RankedTensorType(value.type).element_type)


def is_static_tensor(value: ir.Value) -> bool:
    """Whether `value` is a ranked tensor of static shape."""
    return isinstance(value.type, ir.RankedTensorType) and value.type.has_static_shape


def rebuild(
    op: ir.Operation,
    operands: Sequence[ir.Value],
    *,
    shape: Sequence[int] | None = None,
    attributes: Mapping[str, ir.Attribute] | None = None,
) -> ir.Operation:
    """Build `op` again before itself, with other operands, keeping its location and attributes.

    Args:
        shape: the shape of its one result, if that changes.
        attributes: those that change.
    """
    types = [result.type for result in op.results]
    if shape is not None:
        types = [ir.RankedTensorType.get(list(shape), types[0].element_type)]
    kept = {name: op.attributes[name] for name in op.attributes}
    return ir.Operation.create(
        op.name,
        results=types,
        operands=list(operands),
        attributes={**kept, **(attributes or {})},
        loc=op.location,
        ip=ir.InsertionPoint(op),
    )


def replace(op: ir.Operation, value: ir.Value) -> None:
    """Let `value` stand for the one result of `op`, and erase `op`."""
    op.results[0].replace_all_uses_with(value)
    op.erase()


def blocks(op: ir.Operation) -> Iterator[ir.Block]:
    """Every block inside `op`, outer ones first."""
    for region in op.regions:
        for block in region.blocks:
            yield block
            for view in block.operations:
                inner = view.operation
                if len(inner.regions):
                    yield from blocks(inner)


def is_pure(op: ir.Operation) -> bool:
    """Whether `op` does nothing but compute its results."""
    return op.name.startswith(_PURE_DIALECTS) and traits_of(op).pure and op.name != "tensor.yield"


def erase_dead(op: ir.Operation) -> None:
    """Erase the pure ops inside `op` that nobody uses, not those inside of pure ops that are used.

    Users stand after what they use, so one walk from the last op to the first finds them all.
    """
    for region in op.regions:
        for block in region.blocks:
            for view in reversed(list(block.operations)):
                inner = view.operation
                if not is_pure(inner):
                    erase_dead(inner)
                elif not has_uses(inner):
                    inner.erase()


def copy_module(module: ir.Module) -> ir.Module:
    """A copy of `module` in the same context, which shares its constants."""
    with module.operation.location:
        copy = ir.Module.create()
        for name in module.operation.attributes:
            copy.operation.attributes[name] = module.operation.attributes[name]
        with ir.InsertionPoint(copy.body):
            for op in module.body.operations:
                op.operation.clone()
    return copy
