"""The one place where TOSA ops are constructed. All stand at the current insertion point and location.

Each function infers the type of its result: the element type is that of the first operand unless `element` says
otherwise. Parameters that are operands (shifts, zero points) are constants made here unless they are given.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from quantune_mlir.mlir.bindings import ir
from quantune_mlir.mlir.constants import check_shape, constant, constant_value, shape_constant
from quantune_mlir.mlir.edit import shape_of
from quantune_mlir.mlir.tosa.traits import TRAITS

Sizes = Sequence[int] | ir.Value
"""Numbers for a parameter of type !tosa.shape, or the constant that holds them."""


def build(
    name: str,
    operands: Sequence[ir.Value],
    shape: Sequence[int],
    element: ir.Type | None = None,
    **attributes: ir.Attribute,
) -> ir.Value:
    """tosa.`name` with one result of this shape. Raises ValueError if that is too large to be computed."""
    check_shape(shape)
    result = ir.RankedTensorType.get(list(shape), element or element_of(operands[0]))
    op = ir.Operation.create(
        f"tosa.{name}", results=[result], operands=list(operands), attributes=dict[str, ir.Attribute](attributes)
    )
    return op.results[0]


def elementwise(name: str, *operands: ir.Value, element: ir.Type | None = None) -> ir.Value:
    """An op without parameters of operands that broadcast."""
    traits = TRAITS[f"tosa.{name}"]
    if element is None:
        element = ir.IntegerType.get_signless(1) if traits.compares else element_of(operands[-1])
    return build(name, operands, np.broadcast_shapes(*map(shape_of, operands)), element)


def mul(a: ir.Value, b: ir.Value, shift: ir.Value | None = None) -> ir.Value:
    """a * b."""
    shift = shift if shift is not None else constant(np.zeros(1, np.int8))
    return build("mul", [a, b, shift], np.broadcast_shapes(shape_of(a), shape_of(b)))


def negate(x: ir.Value, zero: ir.Value) -> ir.Value:
    """-x; `zero` is both zero points."""
    return build("negate", [x, zero, zero], shape_of(x))


def clamp(x: ir.Value, low: float, high: float) -> ir.Value:
    """Within [low, high], numbers of the element type."""
    element = element_of(x)
    bounds = (
        ir.IntegerAttr.get(element, int(bound))
        if isinstance(element, ir.IntegerType)
        else ir.FloatAttr.get(element, float(bound))
        for bound in (low, high)
    )
    return build("clamp", [x], shape_of(x), **dict(zip(("min_val", "max_val"), bounds, strict=True)))


def cast(x: ir.Value, element: ir.Type) -> ir.Value:
    """To another element type: floating-point numbers half to even, saturated."""
    return build("cast", [x], shape_of(x), element)


def shift_right(x: ir.Value, amount: ir.Value) -> ir.Value:
    """Integers shifted to the right, the sign kept."""
    shape = np.broadcast_shapes(shape_of(x), shape_of(amount))
    return build("arithmetic_right_shift", [x, amount], shape, round=ir.BoolAttr.get(False))


def table(x: ir.Value, entries: ir.Value) -> ir.Value:
    """Entry x + 128 of int8[256]; of i16 what lies between two of int16[513], in i32 and units of 1 / 128."""
    element = element_of(entries)
    of_int16 = str(element) == "i16"
    return build("table", [x, entries], shape_of(x), ir.IntegerType.get_signless(32) if of_int16 else element)


def rescale(
    x: ir.Value,
    multipliers: ir.Value,
    shifts: ir.Value,
    zero_points: tuple[ir.Value, ir.Value],
    element: ir.Type,
) -> ir.Value:
    """((x - zero point) * multiplier) >> shift, rounded once, + zero point; i32 multipliers, one or one a channel.

    Of i48 the multipliers are i16.
    """
    flags = {
        "scale32": str(element_of(multipliers)) == "i32",
        "per_channel": shape_of(multipliers) != (1,),
        "input_unsigned": False,
        "output_unsigned": False,
    }
    attributes: dict[str, ir.Attribute] = {name: ir.BoolAttr.get(value) for name, value in flags.items()}
    attributes["rounding_mode"] = ir.Attribute.parse("#tosa.rounding_mode<SINGLE_ROUND>")
    return build("rescale", [x, multipliers, shifts, *zero_points], shape_of(x), element, **attributes)


def reduce(name: str, x: ir.Value, axis: int) -> ir.Value:
    """tosa.reduce_`name` along an axis, which stays with size one."""
    return build(f"reduce_{name}", [x], _with_size(x, axis, 1), axis=_axis(axis))


def argmax(x: ir.Value, axis: int) -> ir.Value:
    """The i32 index of the first maximum along an axis, which goes."""
    shape = [size for i, size in enumerate(shape_of(x)) if i != axis]
    return build("argmax", [x], shape, ir.IntegerType.get_signless(32), axis=_axis(axis))


def reshape(x: ir.Value, shape: Sizes) -> ir.Value:
    """The same elements in another shape."""
    target, sizes = _sizes(shape)
    return build("reshape", [x, target], sizes)


def transpose(x: ir.Value, permutation: Sequence[int]) -> ir.Value:
    """Axis i of the result is axis permutation[i] of `x`."""
    shape = [shape_of(x)[axis] for axis in permutation]
    return build("transpose", [x], shape, perms=ir.DenseI32ArrayAttr.get(list(permutation)))


def cut(x: ir.Value, starts: Sizes, sizes: Sizes) -> ir.Value:
    """tosa.slice: the part of `x` from `starts` on, of so many elements each."""
    (first, _), (size, shape) = _sizes(starts), _sizes(sizes)
    return build("slice", [x, first, size], shape)


def pad(x: ir.Value, amounts: Sizes, filler: ir.Value) -> ir.Value:
    """A number before and after each axis: `amounts` are how many before and after the first axis, and so on."""
    amount, numbers = _sizes(amounts)
    shape = [size + sum(numbers[2 * i : 2 * i + 2]) for i, size in enumerate(shape_of(x))]
    return build("pad", [x, amount, filler], shape)


def concat(operands: Sequence[ir.Value], axis: int) -> ir.Value:
    """One after the other along an axis."""
    size = sum(shape_of(operand)[axis] for operand in operands)
    return build("concat", operands, _with_size(operands[0], axis, size), axis=_axis(axis))


def tile(x: ir.Value, times: Sizes) -> ir.Value:
    """So many times along each axis."""
    multiple, numbers = _sizes(times)
    return build("tile", [x, multiple], [size * n for size, n in zip(shape_of(x), numbers, strict=True)])


def reverse(x: ir.Value, axis: int) -> ir.Value:
    """Along an axis from the last element to the first."""
    return build("reverse", [x], shape_of(x), axis=_axis(axis))


def gather(values: ir.Value, indices: ir.Value) -> ir.Value:
    """The rows of [N, K, C] that i32 [N, W] names."""
    (batch, _, channels), (_, picked) = shape_of(values), shape_of(indices)
    return build("gather", [values, indices], (batch, picked, channels))


def scatter(values: ir.Value, indices: ir.Value, rows: ir.Value) -> ir.Value:
    """[N, K, C] with those rows that i32 [N, W] names replaced by [N, W, C]."""
    return build("scatter", [values, indices, rows], shape_of(values))


def while_loop(carried: Sequence[ir.Value]) -> ir.Operation:
    """tosa.while_loop of such values: a block that says whether to go on and one that computes the next, both empty."""
    types = [value.type for value in carried]
    op = ir.Operation.create("tosa.while_loop", results=types, operands=list(carried), regions=2)
    for region in op.regions:
        region.blocks.append(*types, arg_locs=[op.location] * len(types))
    return op


def finish_block(values: Sequence[ir.Value]) -> None:
    """tosa.yield of what a block of a loop computes."""
    ir.Operation.create("tosa.yield", operands=list(values))


def matmul(
    a: ir.Value, b: ir.Value, zero_points: tuple[ir.Value, ir.Value], element: ir.Type | None = None
) -> ir.Value:
    """[N, H, C] times [N, C, W]."""
    shape = (*shape_of(a)[:2], shape_of(b)[2])
    return build("matmul", [a, b, *zero_points], shape, element)


def convolution(
    name: str,
    operands: Sequence[ir.Value],
    zero_points: tuple[ir.Value, ir.Value],
    shape: Sequence[int],
    element: ir.Type,
    accumulator: ir.Type,
    attributes: Mapping[str, ir.Attribute],
) -> ir.Value:
    """tosa.`name`, a convolution of [x, weights, bias]; `attributes` are pad or out_pad, stride and dilation."""
    return build(name, [*operands, *zero_points], shape, element, acc_type=ir.TypeAttr.get(accumulator), **attributes)


def max_pool(x: ir.Value, shape: Sequence[int], attributes: Mapping[str, ir.Attribute]) -> ir.Value:
    """The largest of each window; `attributes` are kernel, stride and pad."""
    return build("max_pool2d", [x], shape, **attributes)


def avg_pool(
    x: ir.Value,
    zero_points: tuple[ir.Value, ir.Value],
    shape: Sequence[int],
    accumulator: ir.Type,
    attributes: Mapping[str, ir.Attribute],
) -> ir.Value:
    """The mean of each window, padding left out; `attributes` are kernel, stride and pad."""
    return build("avg_pool2d", [x, *zero_points], shape, acc_type=ir.TypeAttr.get(accumulator), **attributes)


def resize(
    x: ir.Value, size: Sequence[int], scale: ir.Value, offset: ir.Value, border: ir.Value, mode: str
) -> ir.Value:
    """[N, H, W, C] to `size` (height, width); mode NEAREST_NEIGHBOR or BILINEAR."""
    batch, _, _, channels = shape_of(x)
    attribute = ir.Attribute.parse(f"#tosa.resize_mode<{mode}>")
    return build("resize", [x, scale, offset, border], (batch, *size, channels), mode=attribute)


def integers(**lists: Sequence[int]) -> dict[str, ir.Attribute]:
    """Attributes that are lists of integers: pad, stride, dilation, out_pad, kernel."""
    return {name: ir.DenseI64ArrayAttr.get([int(number) for number in numbers]) for name, numbers in lists.items()}


def element_of(value: ir.Value) -> ir.Type:
    """The element type of a tensor."""
    return ir.RankedTensorType(value.type).element_type


def _sizes(sizes: Sizes) -> tuple[ir.Value, list[int]]:
    """The constant, and its numbers."""
    if not isinstance(sizes, ir.Value):
        return shape_constant(sizes), list(sizes)
    array = constant_value(sizes)
    assert array is not None, "a parameter of TOSA that is a shape is a constant"
    return sizes, [int(number) for number in array]


def _with_size(x: ir.Value, axis: int, size: int) -> list[int]:
    return [size if i == axis else each for i, each in enumerate(shape_of(x))]


def _axis(axis: int) -> ir.IntegerAttr:
    return ir.IntegerAttr.get(ir.IntegerType.get_signless(32), axis)
