"""Builds small int8 TOSA modules with random parameters, from the typed builders of the bindings."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
from iree.compiler.dialects import tosa

from quantune_mlir.mlir.bindings import func, ir, make_context


class Int8Builder:
    """Builds int8 operators at the current insertion point; `rng` draws their weights and parameters.

    Tensors are NHWC. Every method that ends in an int8 tensor rescales with a random zero point, per-channel where
    the operator has weights, so that most results fall inside the int8 range and some saturate.
    """

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng
        self.i8 = ir.IntegerType.get_signless(8)
        self.i32 = ir.IntegerType.get_signless(32)

    def constant(self, array: npt.NDArray[np.generic]) -> ir.Value:
        element = ir.IntegerType.get_signless(8 * array.dtype.itemsize)
        return tosa.ConstOp(
            ir.DenseElementsAttr.get(np.ascontiguousarray(array), type=element, shape=list(array.shape))
        ).result

    def zero_point(self, value: int | None = None) -> ir.Value:
        return self.constant(np.array([self.rng.integers(-20, 20) if value is None else value], np.int8))

    def weights(self, *shape: int) -> ir.Value:
        return self.constant(self.rng.integers(-127, 128, shape, dtype=np.int8))

    def bias(self, channels: int) -> ir.Value:
        return self.constant(self.rng.integers(-20000, 20001, channels, dtype=np.int32))

    def rescale(self, value: ir.Value, scale: float, *, channels: int = 1, to: ir.Type | None = None) -> ir.Value:
        """Multiply by about `scale`, up to a factor of 2 that differs by channel; from int8 or int32, to int8."""
        from_i8 = value.type.element_type == self.i8
        to = to or self.i8
        exponent = int(np.floor(np.log2(scale)))
        multiplier = self.rng.integers(2**30, 2**31, channels, dtype=np.int64).astype(np.int32)
        shift = np.full(channels, 30 - exponent, np.int8)
        zero = self.constant(np.zeros(1, np.int32))
        return tosa.RescaleOp(
            ir.RankedTensorType.get(value.type.shape, to),
            value,
            self.constant(multiplier),
            self.constant(shift),
            self.zero_point() if from_i8 else zero,
            self.zero_point() if to == self.i8 else zero,
            True,
            ir.Attribute.parse("#tosa.rounding_mode<SINGLE_ROUND>"),
            channels > 1,
            False,
            False,
        ).output

    def conv2d(
        self, x: ir.Value, channels: int, kernel: int, stride: int, pad: Sequence[int], *, depthwise: bool = False
    ) -> ir.Value:
        """A convolution, or a depthwise one with multiplier `channels`; `pad` is top, bottom, left, right."""
        n, h, w, c = x.type.shape
        size = _output_size((h, w), kernel, stride, pad)
        if depthwise:
            op, weights, outputs, taps = tosa.DepthwiseConv2DOp, (kernel, kernel, c, channels), c * channels, kernel**2
        else:
            op, weights, outputs, taps = tosa.Conv2DOp, (channels, kernel, kernel, c), channels, kernel**2 * c
        accumulator = op(
            ir.RankedTensorType.get([n, *size, outputs], self.i32),
            x,
            self.weights(*weights),
            self.bias(outputs),
            self.zero_point(),
            self.zero_point(0),
            ir.DenseI64ArrayAttr.get(pad),
            ir.DenseI64ArrayAttr.get([stride, stride]),
            ir.DenseI64ArrayAttr.get([1, 1]),
            ir.TypeAttr.get(self.i32),
        )
        return self.rescale(accumulator.output, _scale_for(taps), channels=outputs)

    def matmul(self, a: ir.Value, b: ir.Value) -> ir.Value:
        (n, rows, inner), columns = a.type.shape, b.type.shape[2]
        product = tosa.MatMulOp(
            ir.RankedTensorType.get([n, rows, columns], self.i32), a, b, self.zero_point(), self.zero_point()
        )
        return self.rescale(product.output, _scale_for(inner))

    def add(self, a: ir.Value, b: ir.Value) -> ir.Value:
        """Both operands to int32 with 19 fractional bits, added, and back: TOSA has no int8 add."""
        a, b = self.rescale(a, 2.0**19, to=self.i32), self.rescale(b, 2.0**19, to=self.i32)
        return self.rescale(tosa.AddOp(a.type, a, b).output, 2.0**-20)

    def concat(self, a: ir.Value, b: ir.Value, axis: int) -> ir.Value:
        return tosa.ConcatOp([self.rescale(a, 0.5), self.rescale(b, 0.5)], axis).output

    def pad(self, x: ir.Value, widths: Sequence[int]) -> ir.Value:
        """Pad with a zero point; `widths` is before and after for each axis in turn."""
        shape = [size + widths[2 * i] + widths[2 * i + 1] for i, size in enumerate(x.type.shape)]
        values = ir.DenseElementsAttr.get(np.array(widths, np.int64), type=ir.IndexType.get(), shape=[len(widths)])
        widths_value = tosa.ConstShapeOp(ir.Type.parse(f"!tosa.shape<{len(widths)}>"), values).result
        return tosa.PadOp(ir.RankedTensorType.get(shape, self.i8), x, widths_value, self.zero_point()).output

    def max_pool2d(self, x: ir.Value, kernel: int, stride: int, pad: Sequence[int]) -> ir.Value:
        kind, size, strides, padding = self._window(x, kernel, stride, pad)
        return tosa.MaxPool2dOp(kind, x, size, strides, padding).output

    def avg_pool2d(self, x: ir.Value, kernel: int, stride: int, pad: Sequence[int]) -> ir.Value:
        kind, size, strides, padding = self._window(x, kernel, stride, pad)
        accumulator = ir.TypeAttr.get(self.i32)
        zero_points = (self.zero_point(), self.zero_point())
        return tosa.AvgPool2dOp(kind, x, *zero_points, size, strides, padding, accumulator).output

    def table(self, x: ir.Value) -> ir.Value:
        return tosa.TableOp(x.type, x, self.weights(256)).output

    def _window(
        self, x: ir.Value, kernel: int, stride: int, pad: Sequence[int]
    ) -> tuple[ir.Type, ir.Attribute, ir.Attribute, ir.Attribute]:
        """Result type, and the attributes kernel, stride and pad, of a pooling operator."""
        n, h, w, c = x.type.shape
        kind = ir.RankedTensorType.get([n, *_output_size((h, w), kernel, stride, pad), c], self.i8)
        array = ir.DenseI64ArrayAttr.get
        return kind, array([kernel, kernel]), array([stride, stride]), array(pad)


def _output_size(size: tuple[int, int], kernel: int, stride: int, pad: Sequence[int]) -> list[int]:
    """Height and width of a window operator's result; TOSA wants the strides to come out even."""
    padded = (size[0] + pad[0] + pad[1] - kernel, size[1] + pad[2] + pad[3] - kernel)
    assert all(extent % stride == 0 for extent in padded)
    return [extent // stride + 1 for extent in padded]


def _scale_for(terms: int) -> float:
    """Takes a sum of `terms` products of uniform int8 values to a standard deviation of about 50."""
    return 50.0 / (74.0 * 74.0 * terms**0.5)


def build_module(shapes: Sequence[Sequence[int]], body: Callable[..., ir.Value], rng: np.random.Generator) -> str:
    """Text, in generic form, of a module whose `main` takes int8 tensors and returns `body(builder, *arguments)`."""
    with make_context(), ir.Location.unknown():
        module = ir.Module.create()
        builder = Int8Builder(rng)
        with ir.InsertionPoint(module.body):
            types = [ir.RankedTensorType.get(shape, builder.i8) for shape in shapes]
            func.FuncOp.from_py_func(*types, name="main")(lambda *arguments: body(builder, *arguments))
        module.operation.verify()
        return module.operation.get_asm(print_generic_op_form=True)
