"""In: TOSA with per-channel multiplies and adds (batch norm). Out: those folded into a neighbouring product.

    a * (x . W + c) + b    ==  x . (W * a) + (a * c + b)        a, b per output channel of W; always
    (a * x + b) . W + c    ==  x . (W * a) + (b . W + c)        a, b per input channel of W; b only without padding
    a * (x + b)            ==  a * x + a * b                    to reach a product that has no bias

x . W stands for a convolution, a depthwise or transposed convolution, or a matrix product with constant weights.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from quantune_mlir.graph.linear_ops import Product, match_product
from quantune_mlir.mlir.bindings import ir
from quantune_mlir.mlir.constants import constant, constant_value, is_float
from quantune_mlir.mlir.edit import blocks, defining_op, erase_dead, replace, shape_of, users
from quantune_mlir.mlir.tosa.traits import traits_of
from quantune_mlir.pipeline.base import Pass

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class FoldScaleShift(Pass):
    """Fold per-channel multiplies and adds into the neighbouring convolution or matrix product."""

    name: ClassVar[str] = "quantune-fold-scale-shift"

    def apply(self, module: ir.Module) -> None:
        for block in list(blocks(module.operation)):
            _until_nothing_folds(block, _fold_backward)
            _until_nothing_folds(block, _fold_forward)
        erase_dead(module.operation)


@dataclass(frozen=True)
class Affine:
    """An op that computes scale * x + shift, with one scale and shift for each index of the last axis of x."""

    op: ir.Operation
    operand: ir.Value
    scale: np.ndarray
    shift: np.ndarray

    @property
    def multiplies(self) -> bool:
        """Whether its constant is a factor, even if of ones."""
        return self.op.name == "tosa.mul"

    @property
    def is_uniform(self) -> bool:
        """Whether all channels are treated alike."""
        return bool((self.scale == self.scale[0]).all() and (self.shift == self.shift[0]).all())

    def for_channels(self, count: int) -> tuple[np.ndarray, np.ndarray]:
        """Scale and shift for `count` channels, if uniform whatever their number."""
        if self.is_uniform:
            return np.full(count, self.scale[0]), np.full(count, self.shift[0])
        return self.scale, self.shift


def _until_nothing_folds(block: ir.Block, fold: Callable[[ir.Operation], bool]) -> None:
    while sum(fold(op) for op in _affine_ops(block)):
        pass


def _affine_ops(block: ir.Block) -> list[ir.Operation]:
    return [view.operation for view in block.operations if traits_of(view.operation).affine]


def match_affine(op: ir.Operation | None) -> Affine | None:
    """`op` as scale * x + shift, if it is a float32 tosa.mul, add or sub of x and a constant that fits."""
    if op is None or not traits_of(op).affine:
        return None
    result = op.results[0]
    if not is_float(result) or not shape_of(result):
        return None
    for place in (0, 1):
        operand, array = op.operands[place], constant_value(op.operands[1 - place])
        if array is None or operand.type != result.type or any(size != 1 for size in array.shape[:-1]):
            continue
        values = np.broadcast_to(array.reshape(-1).astype(np.float64), shape_of(result)[-1:])
        one, zero = np.ones_like(values), np.zeros_like(values)
        if op.name == "tosa.mul":
            return Affine(op, operand, values, zero)
        if op.name == "tosa.add":
            return Affine(op, operand, one, values)
        return Affine(op, operand, one, -values) if place == 0 else Affine(op, operand, -one, values)
    return None


def _fold_backward(op: ir.Operation) -> bool:
    """Fold `op` into what it takes its operand from. Returns whether it did."""
    affine = match_affine(op)
    if affine is None:
        return False
    product = _product_above(affine, affine.operand)
    if product is not None and (product.bias is not None or not affine.shift.any()):
        product.rescale_outputs(*affine.for_channels(product.output_channels))
        replace(op, affine.operand)
        return True
    inner = match_affine(defining_op(affine.operand))
    return inner is not None and users(affine.operand) == [op] and _fold_into_affine(affine, inner)


def _product_above(affine: Affine, value: ir.Value) -> Product | None:
    """The product that computes `value`, if `value` is its only use; reshapes that keep channels may intervene."""
    while len(users(value)) == 1:
        producer = defining_op(value)
        if producer is None or producer.name != "tosa.reshape":
            return match_product(producer)
        if not _reshape_keeps_channels(producer) and not affine.is_uniform:
            return None
        value = producer.operands[0]
    return None


def _reshape_keeps_channels(op: ir.Operation) -> bool:
    return shape_of(op.operands[0])[-1:] == shape_of(op.results[0])[-1:]


def _fold_into_affine(outer: Affine, inner: Affine) -> bool:
    """Merge two multiplies or two adds, or swap a multiply below an add into a product without bias."""
    if inner.multiplies and outer.multiplies:
        _set_constant(inner, outer.scale * inner.scale)
    elif inner.multiplies or (inner.scale != 1).any():
        return False
    elif outer.multiplies:
        product = _product_above(outer, inner.operand)
        if product is None:
            return False
        product.rescale_outputs(*outer.for_channels(product.output_channels))
        _set_constant(inner, outer.scale * inner.shift)
    elif (outer.scale == 1).all():
        _set_constant(inner, outer.shift + inner.shift)
    else:
        return False
    replace(outer.op, inner.op.results[0])
    return True


def _set_constant(affine: Affine, values: np.ndarray) -> None:
    """Give an op the constant `values`; a subtraction of it keeps being one."""
    place = 1 if affine.op.operands[0] == affine.operand else 0
    negated = affine.op.name == "tosa.sub"
    shape = [1] * (len(shape_of(affine.operand)) - 1) + [len(values)]
    array = (-values if negated else values).reshape(shape).astype(np.float32)
    affine.op.operands[place] = constant(array, loc=affine.op.location, ip=ir.InsertionPoint(affine.op))


def _fold_forward(op: ir.Operation) -> bool:
    """Fold `op` into all products that take its result. Returns whether it did."""
    affine = match_affine(op)
    if affine is None:
        return False
    products = _products_below(affine, op.results[0])
    if not products:
        return False
    if affine.shift.any() and any(product.bias is None or product.reads_beyond_border for product in products):
        _log.debug("%s at %s is not folded: what follows has padding or no bias", op.name, op.location)
        return False
    for product in products:
        product.rescale_inputs(*affine.for_channels(product.input_channels))
    replace(op, affine.operand)
    return True


def _products_below(affine: Affine, value: ir.Value) -> list[Product] | None:
    """The products that take `value`; None if something else uses it."""
    products: list[Product] = []
    for use in value.uses:
        user = use.owner.operation
        if user.name == "tosa.reshape" and (_reshape_keeps_channels(user) or affine.is_uniform):
            below = _products_below(affine, user.results[0])
        else:
            product = match_product(user) if use.operand_number == 0 else None
            below = [product] if product is not None else None
        if below is None:
            return None
        products += below
    return products
