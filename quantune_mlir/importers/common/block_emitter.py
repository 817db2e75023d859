"""Emits ops into one block, labelled with the node they come from, and shares constants."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from typing import ParamSpec
from weakref import ReferenceType, ref

import numpy as np

from quantune_mlir.importers.common.errors import Unsupported
from quantune_mlir.importers.common.growth import Growth
from quantune_mlir.importers.common.tensor import Tensor
from quantune_mlir.mlir import attributes
from quantune_mlir.mlir.bindings import ir
from quantune_mlir.mlir.constants import constant, shape_constant
from quantune_mlir.mlir.tosa.traits import traits_of

_SHARED_CONSTANT_BYTES = 64
_P = ParamSpec("_P")


class BlockEmitter:
    """Builds ops at the end of one block; must be used inside the block's MLIR context."""

    def __init__(self, block: ir.Block, growth: Growth) -> None:
        self.growth = growth
        self._ip = ir.InsertionPoint(block)
        self._loc = ir.Location.unknown()
        self._labels: dict[str, ir.Attribute] = {}
        self._scales: dict[str, ir.Attribute] = {}
        self._values: dict[object, ir.Value] = {}
        self._large: dict[int, tuple[ReferenceType[np.ndarray], ir.Value]] = {}

    @contextmanager
    def importing(self, name: str, op_type: str, scales: Mapping[str, ir.Attribute] | None = None) -> Generator[None]:
        """Label all that is built inside as coming from the model's node of this name and type.

        What computes with the node's constant gets `scales` too.
        """
        outside = self._loc, self._labels, self._scales
        self._loc = ir.Location.name(name)
        self._labels = {
            attributes.LAYER: ir.StringAttr.get(name),
            attributes.OP: ir.StringAttr.get(op_type),
        }
        self._scales = dict(scales or {})
        try:
            yield
        finally:
            self._loc, self._labels, self._scales = outside

    @contextmanager
    def part(self, name: str) -> Generator[None]:
        """Label everything built inside as a part of the node, a layer of its own: NODE/name."""
        location, labels = self._loc, self._labels
        layer = f"{ir.StringAttr(labels[attributes.LAYER]).value}/{name}"
        self._loc = ir.Location.name(layer)
        self._labels = labels | {attributes.LAYER: ir.StringAttr.get(layer)}
        try:
            yield
        finally:
            self._loc, self._labels = location, labels

    # --- values ---------------------------------------------------------------------------------------------

    def value(self, tensor: Tensor) -> ir.Value:
        """The MLIR value of `tensor`; a constant is built once and shared."""
        if tensor.value is not None:
            return tensor.value
        array = tensor.known
        if array.nbytes <= _SHARED_CONSTANT_BYTES:
            key = (array.dtype.str, array.shape, array.tobytes())
            if key not in self._values:
                self._values[key] = constant(array, loc=self._loc, ip=self._ip)
            return self._values[key]
        held, value = self._large.get(id(array), (None, None))
        if value is None or held is None or held() is not array:
            value = constant(array, loc=self._loc, ip=self._ip)
            self._large[id(array)] = (ref(array), value)
        return value

    def splat(self, value: float, dtype: np.dtype | type, rank: int = 1) -> Tensor:
        """A constant of `rank` dimensions of size one, which broadcasts against anything of that rank."""
        return Tensor.constant(np.full((1,) * rank, value, dtype))

    def _shape(self, values: Sequence[int]) -> ir.Value:
        key = ("shape", tuple(values))
        if key not in self._values:
            self._values[key] = shape_constant(values, loc=self._loc, ip=self._ip)
        return self._values[key]

    def _zero_point(self, dtype: np.dtype | type) -> ir.Value:
        return self.value(self.splat(0, dtype))

    def _build(self, make: Callable[_P, ir.Value], *args: _P.args, **kwargs: _P.kwargs) -> ir.Value:
        """The result of one of mlir/tosa/build.py's functions, which builds an op here."""
        with self._ip, self._loc:
            return make(*args, **kwargs)

    def _done(self, value: ir.Value, dtype: np.dtype | type, *, layout: bool = False) -> Tensor:
        """The tensor that an op computes; it is labelled, unless it only changes the layout."""
        op = value.owner.operation
        try:
            op.verify()
        except ir.MLIRError as error:
            name = op.name
            op.erase()
            raise Unsupported(f"{name} does not allow it: {error.error_diagnostics[0].message}") from error
        if not layout:
            for name, attribute in self._labels.items():
                op.attributes[name] = attribute
        if self._scales and traits_of(op).int8 in ("dot", "binary"):
            for name, attribute in self._scales.items():
                op.attributes[name] = attribute
        return Tensor.computed(op.results[0], dtype)


def refuse_empty(shape: Sequence[int]) -> None:
    """TOSA has no tensors without elements."""
    if 0 in shape:
        raise Unsupported(f"a tensor of shape {list(shape)} has no elements")
