"""Which ops kernels start with, and which ops before them they take in.

convolution, matmul    with constant weights; a slice before it; a matmul of two activations, or of many matrices
pooling                a slice before it
sums over rows and columns, one after the other: a mean; their prologue (widening what is stored as i8) and a slice
argmax along the last axis
resizes, with what makes fp32 of an int8 image before them
pads; a pooling writes those of channels alone (concat_in_place.py)
slices that no kernel takes in
transposes; NCHW to NHWC of few channels with what the network's input goes through before it (quantize)
reductions of rows, the last axis, and ops that read a computed number for each, with the element-wise ops around them
"""

from __future__ import annotations

from typing import Final

from quantune_mlir.kernels.emit.row_reductions import ROW_REDUCTIONS
from quantune_mlir.kernels.emit.vector_ops import EMITTERS, is_supported, tensor_operands
from quantune_mlir.kernels.fusion.group import (
    CONVOLUTION,
    FAMILIES,
    POOLING,
    VIEWS,
    interleaves,
    multiplies_by_constant,
)
from quantune_mlir.mlir.bindings import ir
from quantune_mlir.mlir.constants import constant_value, is_constant
from quantune_mlir.mlir.edit import defining_op, element_of, is_static_tensor, shape_of, users
from quantune_mlir.mlir.tosa.evaluate import rearranged_constant
from quantune_mlir.mlir.tosa.numpy_rules import ignores_nan
from quantune_mlir.mlir.tosa.resizing import resized_axes
from quantune_mlir.mlir.tosa.traits import axis_of, traits_of

_STORED: Final = ("i8", "f32")


def is_root(op: ir.Operation) -> bool:
    """Whether a kernel starts with `op`, one of group.FAMILIES."""
    if not all(is_static_tensor(value) for value in (op.operands[0], op.results[0])):
        return False
    match op.name:
        case "tosa.max_pool2d":
            return element_of(op.operands[0]) in _STORED
        case "tosa.avg_pool2d":
            zero_points = [constant_value(value) for value in (op.operands[1], op.operands[2])]
            return element_of(op.operands[0]) in _STORED and all(value is not None for value in zero_points)
        case "tosa.reduce_sum":
            return _sums_pixels(op)
        case "tosa.transpose":
            return element_of(op.operands[0]) in _STORED and rearranged_constant(op.results[0]) is None
        case "tosa.pad":
            return element_of(op.operands[0]) in _STORED and _pads_more_than_channels(op)
        case "tosa.argmax":
            is_last = axis_of(op) == len(shape_of(op.operands[0])) - 1
            return element_of(op.operands[0]) in _STORED and is_last and not ignores_nan(op)
        case "tosa.resize":
            return element_of(op.operands[0]) in _STORED and resized_axes(op) is not None
        case "tosa.matmul":
            return multiplies_by_constant(op) or _multiplies_stored(op)
        case _:
            return all(rearranged_constant(op.operands[position]) is not None for position in (1, 2))


def is_cut(op: ir.Operation) -> bool:
    """Whether it is a slice of a stored tensor whose elements are no neighbours: IREE takes such as are as they lie.

    One that is written into a concatenation is left to that.
    """
    if op.name != "tosa.slice" or not all(is_static_tensor(value) for value in (op.operands[0], op.results[0])):
        return False
    whole, part = shape_of(op.operands[0]), shape_of(op.results[0])
    first = next((axis for axis, size in enumerate(part) if size > 1), len(part))
    known = constant_value(op.operands[1]) is not None and rearranged_constant(op.results[0]) is None
    joined = any(user.name == "tosa.concat" for user in users(op.results[0]))
    return known and element_of(op.operands[0]) in _STORED and whole[first + 1 :] != part[first + 1 :] and not joined


def before_root(root: ir.Operation) -> set[ir.Operation]:
    """The ops before a root that its kernel computes, too."""
    value = root.operands[0]
    found: list[ir.Operation] = []
    if root.name == "tosa.reduce_sum":
        while (op := _only_for(value, "tosa.reduce_sum")) is not None and _sums_pixels(op):
            found.append(op)
            value = op.operands[0]
        while element_of(value) not in _STORED and (op := _prologue(value)) is not None:
            found.append(op)
            value = op.operands[0]
        if element_of(value) not in _STORED:
            return set(found[: _sums(found)])
    if root.name == "tosa.resize":
        while element_of(value) == "f32" and (op := _prologue(value)) is not None:
            found.append(op)
            value = op.operands[0]
        return set(found) if element_of(value) == "i8" else set()
    if root.name == "tosa.transpose":
        while interleaves(root) and (op := _prologue(value)) is not None:
            found.append(op)
            value = op.operands[0]
        return set(found) if isinstance(value, ir.BlockArgument) and element_of(value) in _STORED else set()
    view = _view(root, value)
    return set(found) if view is None else {*found, view}


def reduces_rows(op: ir.Operation) -> bool:
    """Whether it makes one number of each row of an fp32 tensor."""
    if op.name not in ROW_REDUCTIONS or not is_static_tensor(op.operands[0]) or element_of(op.operands[0]) != "f32":
        return False
    shape = shape_of(op.operands[0])
    return axis_of(op) == len(shape) - 1 and shape[-1] > 1


def reads_numbers_of_rows(op: ir.Operation) -> bool:
    """Whether it computes rows of rows and a computed number for each, and a kernel of rows may."""
    if op.name not in EMITTERS or len(op.results) != 1 or not is_static_tensor(op.results[0]):
        return False
    shape = shape_of(op.results[0])
    if len(shape) < 2 or shape[-1] == 1 or not joins_rows(op, shape):
        return False
    return any(is_number_of_rows(value, shape) and not is_constant(value) for value in tensor_operands(op))


def is_number_of_rows(value: ir.Value, shape: tuple[int, ...]) -> bool:
    """Whether it is one number for each row of tensors of this shape."""
    return shape_of(value) == (*shape[:-1], 1)


def joins_rows(op: ir.Operation, shape: tuple[int, ...]) -> bool:
    """Whether a kernel of rows of this shape may compute `op`: of elements, or of one number for each row."""
    if op.name in ROW_REDUCTIONS:
        return reduces_rows(op) and shape_of(op.operands[0]) == shape
    if op.name not in EMITTERS or len(op.results) != 1 or not is_static_tensor(op.results[0]) or not is_supported(op):
        return False
    result, numbers = shape_of(op.results[0]), (*shape[:-1], 1)
    if result not in (shape, numbers):
        return False
    for operand in tensor_operands(op):
        read, array = shape_of(operand), constant_value(operand)
        known = array is not None and array.size == 1
        if not known and read not in (result, numbers) and not (result == shape and repeats_in(read, shape)):
            return False
        if array is not None and not known and not repeats_in(read, shape):
            return False
    return True


def repeats_in(part: tuple[int, ...], shape: tuple[int, ...]) -> bool:
    """Whether a tensor of shape `part` broadcasts to `shape` by being repeated as a whole, whole rows at least."""
    inner = part
    while inner and inner[0] == 1 and len(inner) > 1:
        inner = inner[1:]
    return inner == shape[len(shape) - len(inner) :]


def _multiplies_stored(matmul: ir.Operation) -> bool:
    """Whether both operands are stored tensors of one type, and zero points are known."""
    left, right, *zero_points = matmul.operands
    same = element_of(left) == element_of(right) in _STORED and is_static_tensor(right)
    return same and all(constant_value(value) is not None for value in zero_points)


def _pads_more_than_channels(pad: ir.Operation) -> bool:
    """Whether a pad by known amounts is none of channels alone: a pooling before it may write that, too."""
    amounts, filler = (constant_value(operand) for operand in pad.operands[1:])
    if amounts is None or filler is None or rearranged_constant(pad.results[0]) is not None:
        return False
    return bool(amounts.reshape(-1)[:-2].any())


def _sums(ops: list[ir.Operation]) -> int:
    return sum(traits_of(op).reduces for op in ops)


def _sums_pixels(op: ir.Operation) -> bool:
    """Whether it sums rows or columns of NHWC, or the middle axis of three, each channel for itself."""
    *_, channels = shape = shape_of(op.results[0])
    return channels > 1 and (len(shape), axis_of(op)) in ((4, 1), (4, 2), (3, 1))


def _prologue(value: ir.Value) -> ir.Operation | None:
    """An element-wise op of one tensor and numbers that makes `value` for one reader."""
    op = _only_for(value)
    if op is None or not op.name.startswith("tosa.") or len(op.results) != 1 or not is_supported(op):
        return None
    source, *numbers = tensor_operands(op)
    if constant_value(source) is not None or shape_of(source) != shape_of(value):
        return None
    constants = [constant_value(number) for number in numbers]
    return op if all(array is not None and array.size == 1 for array in constants) else None


def _view(root: ir.Operation, value: ir.Value) -> ir.Operation | None:
    """A slice that nothing else reads, if it leaves batch and channels whole and nothing is padded after it."""
    if FAMILIES.get(root.name) not in (CONVOLUTION, POOLING):
        return None
    view = _only_for(value, "tosa.slice")
    if view is None or view.name not in VIEWS or len(shape_of(value)) != 4:
        return None
    if "pad" in root.attributes and any(ir.DenseI64ArrayAttr(root.attributes["pad"])):
        return None
    before, after = shape_of(view.operands[0]), shape_of(value)
    return view if (before[0], before[3]) == (after[0], after[3]) else None


def _only_for(value: ir.Value, name: str | None = None) -> ir.Operation | None:
    """The op that makes `value`, if one op alone reads that."""
    op = defining_op(value, name)
    return op if op is not None and len(users(value)) == 1 else None
