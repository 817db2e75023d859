"""Emits TOSA ops for one ONNX node after another, labelled with the node they come from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np

from quantune_mlir.importers.onnx.errors import Unsupported
from quantune_mlir.importers.onnx.node import Node
from quantune_mlir.importers.onnx.sampling import TosaScale
from quantune_mlir.importers.onnx.tensor import Tensor
from quantune_mlir.ir import attributes
from quantune_mlir.ir.constants import constant, shape_constant, tensor_type
from quantune_mlir.ir.mlir import ir, tosa

_SHARED_CONSTANT_BYTES = 64


class Builder:
    """Builds ops at the end of one block.

    Every method takes and returns tensors. A movement (reshape, transpose, slice, pad, concat, tile, reverse) of
    constants gives a constant, and so does an empty slice, since TOSA has no tensors without elements. Must be used inside the block's MLIR context.
    """

    def __init__(self, block: ir.Block) -> None:
        self._ip = ir.InsertionPoint(block)
        self._loc = ir.Location.unknown()
        self._labels: dict[str, ir.Attribute] = {}
        self._values: dict[object, ir.Value] = {}
        self._arrays: list[np.ndarray] = []

    @contextmanager
    def importing(self, node: Node) -> Iterator[None]:
        """Label everything built inside as coming from `node`."""
        self._loc = ir.Location.name(node.name)
        self._labels = {
            attributes.LAYER: ir.StringAttr.get(node.name),
            attributes.OP: ir.StringAttr.get(node.op_type),
        }
        try:
            yield
        finally:
            self._loc, self._labels = ir.Location.unknown(), {}

    # --- values ---------------------------------------------------------------------------------------------

    def value(self, tensor: Tensor) -> ir.Value:
        """The MLIR value of `tensor`; a constant is built once and shared."""
        if tensor.value is not None:
            return tensor.value
        array = np.asarray(tensor.array)
        small = array.nbytes <= _SHARED_CONSTANT_BYTES
        key = (array.dtype.str, array.shape, array.tobytes()) if small else id(array)
        if key not in self._values:
            self._arrays.append(array)
            self._values[key] = constant(array, loc=self._loc, ip=self._ip)
        return self._values[key]

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

    def _done(self, op: ir.OpView, dtype: np.dtype | type, *, layout: bool = False) -> Tensor:
        try:
            op.operation.verify()
        except ir.MLIRError as error:
            name = op.operation.name
            op.operation.erase()
            raise Unsupported(f"{name} does not allow it: {error.error_diagnostics[0].message}") from error
        if not layout:
            for name, attribute in self._labels.items():
                op.operation.attributes[name] = attribute
        return Tensor.computed(op.operation.results[0], dtype)

    # --- data movement --------------------------------------------------------------------------------------

    def reshape(self, x: Tensor, shape: Sequence[int]) -> Tensor:
        shape = tuple(int(s) for s in shape)
        if shape == x.shape:
            return x
        if x.array is not None:
            return Tensor.constant(x.array.reshape(shape))
        op = tosa.ReshapeOp(
            self.value(x), self._shape(shape), results=[tensor_type(shape, x.dtype)], loc=self._loc, ip=self._ip
        )
        return self._done(op, x.dtype)

    def transpose(self, x: Tensor, perm: Sequence[int], *, layout: bool = False) -> Tensor:
        """Output axis i is input axis perm[i]. A `layout` transpose belongs to no layer and carries no label."""
        perm = [int(p) for p in perm]
        if perm == sorted(perm):
            return x
        if x.array is not None:
            return Tensor.constant(np.ascontiguousarray(x.array.transpose(perm)))
        result = tensor_type([x.shape[p] for p in perm], x.dtype)
        return self._done(
            tosa.TransposeOp(result, self.value(x), perm, loc=self._loc, ip=self._ip), x.dtype, layout=layout
        )

    def slice(self, x: Tensor, starts: Sequence[int], sizes: Sequence[int]) -> Tensor:
        sizes = tuple(int(s) for s in sizes)
        if sizes == x.shape:
            return x
        if x.array is not None:
            return Tensor.constant(x.array[tuple(slice(a, a + n) for a, n in zip(starts, sizes, strict=True))])
        if 0 in sizes:
            return Tensor.constant(np.zeros(sizes, x.dtype))
        op = tosa.SliceOp(
            tensor_type(sizes, x.dtype),
            self.value(x),
            self._shape(starts),
            self._shape(sizes),
            loc=self._loc,
            ip=self._ip,
        )
        return self._done(op, x.dtype)

    def slice_axis(self, x: Tensor, axis: int, start: int, size: int) -> Tensor:
        starts, sizes = [0] * x.rank, list(x.shape)
        starts[axis], sizes[axis] = start, size
        return self.slice(x, starts, sizes)

    def pad(self, x: Tensor, before: Sequence[int], after: Sequence[int], value: float = 0) -> Tensor:
        """Pad with a constant by `before` and `after` (both >= 0) on each axis."""
        if not any(before) and not any(after):
            return x
        pairs = list(zip(before, after, strict=True))
        if x.array is not None:
            return Tensor.constant(np.pad(x.array, pairs, constant_values=value))
        shape = [b + s + a for s, (b, a) in zip(x.shape, pairs, strict=True)]
        op = tosa.PadOp(
            tensor_type(shape, x.dtype),
            self.value(x),
            self._shape([p for pair in pairs for p in pair]),
            self.value(self.splat(value, x.dtype)),
            loc=self._loc,
            ip=self._ip,
        )
        return self._done(op, x.dtype)

    def concat(self, tensors: Sequence[Tensor], axis: int) -> Tensor:
        tensors = [t for t in tensors if t.shape[axis]] or tensors[:1]
        if len(tensors) == 1:
            return tensors[0]
        if all(t.array is not None for t in tensors):
            return Tensor.constant(np.concatenate([t.array for t in tensors], axis))
        shape = list(tensors[0].shape)
        shape[axis] = sum(t.shape[axis] for t in tensors)
        dtype = tensors[0].dtype
        op = tosa.ConcatOp(
            [self.value(t) for t in tensors], axis, results=[tensor_type(shape, dtype)], loc=self._loc, ip=self._ip
        )
        return self._done(op, dtype)

    def tile(self, x: Tensor, multiples: Sequence[int]) -> Tensor:
        if all(m == 1 for m in multiples):
            return x
        if x.array is not None:
            return Tensor.constant(np.tile(x.array, multiples))
        shape = [s * m for s, m in zip(x.shape, multiples, strict=True)]
        refuse_empty(shape)
        op = tosa.TileOp(tensor_type(shape, x.dtype), self.value(x), self._shape(multiples), loc=self._loc, ip=self._ip)
        return self._done(op, x.dtype)

    def reverse(self, x: Tensor, axis: int) -> Tensor:
        if x.shape[axis] == 1:
            return x
        if x.array is not None:
            return Tensor.constant(np.flip(x.array, axis))
        op = tosa.ReverseOp(tensor_type(x.shape, x.dtype), self.value(x), axis, loc=self._loc, ip=self._ip)
        return self._done(op, x.dtype)

    def broadcast_to(self, x: Tensor, shape: Sequence[int]) -> Tensor:
        """Repeat dimensions of size one until `x` has `shape`, as NumPy does."""
        x = self.reshape(x, (1,) * (len(shape) - x.rank) + x.shape)
        return self.tile(x, [1 if have == want else want for have, want in zip(x.shape, shape, strict=True)])

    def gather_rows(self, x: Tensor, indices: Tensor) -> Tensor:
        """Rows of `x` [K, C] picked by int32 `indices` [W] in [0, K): a tensor [W, C]."""
        rows, columns = x.shape
        picked = indices.size
        values = self.reshape(x, (1, rows, columns))
        op = tosa.GatherOp(
            tensor_type((1, picked, columns), x.dtype),
            self.value(values),
            self.value(self.reshape(indices, (1, picked))),
            loc=self._loc,
            ip=self._ip,
        )
        return self.reshape(self._done(op, x.dtype), (picked, columns))

    # --- elementwise ----------------------------------------------------------------------------------------

    def aligned(self, *tensors: Tensor) -> tuple[list[Tensor], tuple[int, ...]]:
        """The tensors reshaped to one rank, and the shape they broadcast to."""
        try:
            shape = np.broadcast_shapes(*(t.shape for t in tensors))
        except ValueError:
            raise Unsupported("shapes do not broadcast: " + ", ".join(str(list(t.shape)) for t in tensors)) from None
        refuse_empty(shape)
        return [self.reshape(t, (1,) * (len(shape) - t.rank) + t.shape) for t in tensors], shape

    def unary(self, op_class: type, x: Tensor) -> Tensor:
        """One of TOSA's ops with one operand and a result of the same type, e.g. tosa.ExpOp."""
        op = op_class(tensor_type(x.shape, x.dtype), self.value(x), loc=self._loc, ip=self._ip)
        return self._done(op, x.dtype)

    def binary(self, op_class: type, x: Tensor, y: Tensor) -> Tensor:
        """One of TOSA's broadcasting ops with two operands of the result's type, e.g. tosa.AddOp."""
        (x, y), shape = self.aligned(x, y)
        op = op_class(tensor_type(shape, x.dtype), self.value(x), self.value(y), loc=self._loc, ip=self._ip)
        return self._done(op, x.dtype)

    def compare(self, op_class: type, x: Tensor, y: Tensor) -> Tensor:
        """tosa.EqualOp, tosa.GreaterOp or tosa.GreaterEqualOp: a bool tensor."""
        (x, y), shape = self.aligned(x, y)
        result, operands = tensor_type(shape, np.bool_), (self.value(x), self.value(y))
        if op_class is tosa.EqualOp:  # the only one whose builder wants the type by keyword
            op = tosa.EqualOp(*operands, results=[result], loc=self._loc, ip=self._ip)
        else:
            op = op_class(result, *operands, loc=self._loc, ip=self._ip)
        return self._done(op, np.bool_)

    def add(self, x: Tensor, y: Tensor) -> Tensor:
        return self.binary(tosa.AddOp, x, y)

    def sub(self, x: Tensor, y: Tensor) -> Tensor:
        return self.binary(tosa.SubOp, x, y)

    def mul(self, x: Tensor, y: Tensor) -> Tensor:
        (x, y), shape = self.aligned(x, y)
        op = tosa.MulOp(
            tensor_type(shape, x.dtype),
            self.value(x),
            self.value(y),
            self._zero_point(np.int8),
            loc=self._loc,
            ip=self._ip,
        )
        return self._done(op, x.dtype)

    def scaled(self, x: Tensor, factor: float) -> Tensor:
        """`x` times a number."""
        return x if factor == 1 else self.mul(x, self.splat(factor, x.dtype, x.rank))

    def shifted(self, x: Tensor, summand: float) -> Tensor:
        """`x` plus a number."""
        return x if summand == 0 else self.add(x, self.splat(summand, x.dtype, x.rank))

    def negate(self, x: Tensor) -> Tensor:
        zero = self._zero_point(x.dtype)
        op = tosa.NegateOp(tensor_type(x.shape, x.dtype), self.value(x), zero, zero, loc=self._loc, ip=self._ip)
        return self._done(op, x.dtype)

    def logical_not(self, x: Tensor) -> Tensor:
        return self.unary(tosa.LogicalNotOp, x)

    def clamp(self, x: Tensor, low: float, high: float) -> Tensor:
        """Clamp a float tensor to [low, high]; either may be infinite."""
        element = tensor_type((), x.dtype).element_type
        op = tosa.ClampOp(
            tensor_type(x.shape, x.dtype),
            self.value(x),
            *(ir.FloatAttr.get(element, float(v)) for v in (low, high)),
            loc=self._loc,
            ip=self._ip,
        )
        return self._done(op, x.dtype)

    def select(self, condition: Tensor, x: Tensor, y: Tensor) -> Tensor:
        """Elements of `x` where `condition`, of `y` elsewhere."""
        (condition, x, y), shape = self.aligned(condition, x, y)
        op = tosa.SelectOp(
            tensor_type(shape, x.dtype),
            self.value(condition),
            self.value(x),
            self.value(y),
            loc=self._loc,
            ip=self._ip,
        )
        return self._done(op, x.dtype)

    def cast(self, x: Tensor, dtype: np.dtype | type) -> Tensor:
        """A bare tosa.cast, which rounds floats half to even and saturates; see dtypes.py for ONNX's Cast."""
        if x.dtype == dtype:
            return x
        op = tosa.CastOp(tensor_type(x.shape, dtype), self.value(x), loc=self._loc, ip=self._ip)
        return self._done(op, dtype)

    # --- reductions, products -------------------------------------------------------------------------------

    def reduce(self, op_class: type, x: Tensor, axis: int) -> Tensor:
        """tosa.ReduceSumOp and its kin over one axis, which stays with size one."""
        shape = [1 if i == axis else s for i, s in enumerate(x.shape)]
        op = op_class(self.value(x), axis, results=[tensor_type(shape, x.dtype)], loc=self._loc, ip=self._ip)
        return self._done(op, x.dtype)

    def argmax(self, x: Tensor, axis: int) -> Tensor:
        """The int32 index of the first maximum along `axis`, which is dropped."""
        shape = [s for i, s in enumerate(x.shape) if i != axis]
        op = tosa.ArgMaxOp(tensor_type(shape, np.int32), self.value(x), axis, loc=self._loc, ip=self._ip)
        return self._done(op, np.int32)

    def matmul(self, a: Tensor, b: Tensor) -> Tensor:
        """[B, M, K] x [B, K, N] -> [B, M, N]."""
        zero = self._zero_point(a.dtype)
        result = tensor_type((a.shape[0], a.shape[1], b.shape[2]), a.dtype)
        return self._done(
            tosa.MatMulOp(result, self.value(a), self.value(b), zero, zero, loc=self._loc, ip=self._ip), a.dtype
        )

    def convolution(
        self,
        op_class: type,
        x: Tensor,
        weights: Tensor,
        bias: Tensor,
        shape: Sequence[int],
        *window: Sequence[int],
    ) -> Tensor:
        """tosa.Conv2DOp, DepthwiseConv2DOp or TransposeConv2DOp with result `shape`, NHWC.

        `window` is pad, stride, dilation; for the transposed convolution out_pad, stride.
        """
        zero = self._zero_point(x.dtype)
        accumulator = ir.TypeAttr.get(tensor_type((), np.float32).element_type)
        op = op_class(
            tensor_type(shape, x.dtype),
            self.value(x),
            self.value(weights),
            self.value(bias),
            zero,
            zero,
            *(ir.DenseI64ArrayAttr.get(list(w)) for w in window),
            accumulator,
            loc=self._loc,
            ip=self._ip,
        )
        return self._done(op, x.dtype)

    def max_pool(
        self, x: Tensor, shape: Sequence[int], kernel: Sequence[int], stride: Sequence[int], pad: Sequence[int]
    ) -> Tensor:
        """tosa.max_pool2d on NHWC; pad is [top, bottom, left, right]."""
        op = tosa.MaxPool2dOp(
            tensor_type(shape, x.dtype),
            self.value(x),
            *(ir.DenseI64ArrayAttr.get(list(w)) for w in (kernel, stride, pad)),
            loc=self._loc,
            ip=self._ip,
        )
        return self._done(op, x.dtype)

    def avg_pool(
        self, x: Tensor, shape: Sequence[int], kernel: Sequence[int], stride: Sequence[int], pad: Sequence[int]
    ) -> Tensor:
        """tosa.avg_pool2d on NHWC, which leaves padding out of the mean; pad is [top, bottom, left, right]."""
        zero = self._zero_point(x.dtype)
        op = tosa.AvgPool2dOp(
            tensor_type(shape, x.dtype),
            self.value(x),
            zero,
            zero,
            *(ir.DenseI64ArrayAttr.get(list(w)) for w in (kernel, stride, pad)),
            ir.TypeAttr.get(tensor_type((), np.float32).element_type),
            loc=self._loc,
            ip=self._ip,
        )
        return self._done(op, x.dtype)

    def resize(self, x: Tensor, size: Sequence[int], rows: TosaScale, columns: TosaScale, *, nearest: bool) -> Tensor:
        """tosa.resize of [N, H, W, C] to `size` (height, width)."""
        operands = [
            [rows.numerator, rows.denominator, columns.numerator, columns.denominator],
            [rows.offset, columns.offset],
            [rows.border, columns.border],
        ]
        mode = "NEAREST_NEIGHBOR" if nearest else "BILINEAR"
        op = tosa.ResizeOp(
            tensor_type((x.shape[0], *size, x.shape[3]), x.dtype),
            self.value(x),
            *(self._shape(o) for o in operands),
            ir.Attribute.parse(f"#tosa.resize_mode<{mode}>"),
            loc=self._loc,
            ip=self._ip,
        )
        return self._done(op, x.dtype)


def refuse_empty(shape: Sequence[int]) -> None:
    """TOSA has no tensors without elements."""
    if 0 in shape:
        raise Unsupported(f"a tensor of shape {list(shape)} has no elements")
