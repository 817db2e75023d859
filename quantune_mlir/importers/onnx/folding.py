"""Evaluates nodes whose inputs are all constants, with ONNX's own reference implementation."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Final

import numpy as np
import onnx

from quantune_mlir.importers.common.errors import Unsupported
from quantune_mlir.importers.common.growth import Growth
from quantune_mlir.importers.common.tensor import Tensor
from quantune_mlir.importers.onnx.bodies import bodies
from quantune_mlir.importers.onnx.floats import folded_array

_RANDOM = {"RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike", "Multinomial", "Bernoulli"}
_OF_FILES_AND_TEXT: Final = {"ImageDecoder", "RegexFullMatch", "StringNormalizer", "TfIdfVectorizer"}
_BOUNDED: Final = {"NonZero", "Unique", "Compress"}
"""They yield at most as many elements as they are given, for each dimension; how many, only their values tell."""
_PRODUCTS: Final = {"MatMul", "Gemm", "Einsum", "MatMulInteger"}
"""Of matrices."""
_QUICK: Final = {
    *("Add", "Sub", "Mul", "Div", "Mod", "Pow", "Neg", "Abs", "Min", "Max", "Sum", "Mean", "Sqrt", "Exp"),
    *("Log", "Sign", "Floor", "Ceil", "Round", "Reciprocal", "Relu", "Clip", "Sigmoid", "Tanh", "Erf", "Sin"),
    *("Cos", "Not", "And", "Or", "Xor", "Equal", "Less", "Greater", "LessOrEqual", "GreaterOrEqual", "Where"),
    *("Cast", "CastLike", "Identity", "Constant", "ConstantOfShape", "Range", "Shape", "Size", "Reshape"),
    *("Flatten", "Squeeze", "Unsqueeze", "Transpose", "Concat", "Split", "Slice", "Gather", "Expand", "Tile"),
    *("Pad", "Trilu", "EyeLike", "CumSum", "ReduceSum", "ReduceMean", "ReduceMax", "ReduceMin", "ReduceProd"),
    *("ArgMax", "ArgMin", "Dropout", "DequantizeLinear"),
}
_BY_HANDLERS: Final = {"GatherElements", "ScatterElements", "ScatterND"}
"""Their handlers pick from constants as well: the reference implementation is slow, and does not take all shapes."""
_WRONG: Final = {
    *("AveragePool", "ConvTranspose", "GlobalAveragePool", "GlobalLpPool", "GlobalMaxPool", "GroupNormalization"),
    *("LRN", "MaxPool", "MeanVarianceNormalization", "OneHot", "Resize", "Slice"),
}
"""The reference implementation gives other results or shapes than ONNX's rules, or none, for some attributes."""
_YIELD_SEQUENCES: Final = {"SequenceConstruct", "SequenceEmpty", "SplitToSequence"}
_VIEWS: Final = {"Identity", "Reshape", "Flatten", "Squeeze", "Unsqueeze", "Transpose"}
_SLOWNESS: Final = 1000
"""How much longer others take for an element: most of them are loops in Python."""


class CannotEvaluate(Unsupported):
    """The reference implementation has no results for a node; its handler may."""


def can_fold(proto: onnx.NodeProto, inputs: Sequence[Tensor | None]) -> bool:
    """Whether the results of a node are known at import."""
    if proto.op_type in _WRONG | _RANDOM | _OF_FILES_AND_TEXT | _YIELD_SEQUENCES or any(bodies(proto)):
        return False
    if proto.op_type in _BY_HANDLERS and all(attribute.name != "reduction" for attribute in proto.attribute):
        return False
    return all(t is None or (t.array is not None and t.dtype != object) for t in inputs)


def fold(
    proto: onnx.NodeProto,
    inputs: Sequence[Tensor | None],
    opset: int,
    shapes: Sequence[tuple[int, ...] | None],
    growth: Growth,
) -> list[Tensor]:
    """The results of a node of constants, whose `shapes` are known as far as ONNX's rules tell.

    Raises:
        CannotEvaluate: the reference implementation cannot.
        Unsupported: what comes out is too large.
    """
    from onnx.reference import ReferenceEvaluator  # 12 MiB, a tenth of a second, and few models need it

    given = [t for t in inputs if t is not None]
    _account(proto, given, shapes, growth)
    model = onnx.helper.make_model(
        onnx.helper.make_graph([proto], "fold", [], []),
        opset_imports=[onnx.helper.make_opsetid("", opset)],
        ir_version=onnx.IR_VERSION,
    )
    # Some of the reference implementations change their inputs.
    keep = np.asarray if proto.op_type in _VIEWS else np.array
    feeds = {name: keep(t.array) for name, t in zip(proto.input, inputs, strict=True) if name and t is not None}
    names = [name for name in proto.output if name]
    del model.graph.output[:]
    model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names)
    model.graph.input.extend(onnx.ValueInfoProto(name=name) for name in feeds)
    try:
        with np.errstate(all="ignore"):
            results = ReferenceEvaluator(model).run(names, feeds)
    except Exception as error:  # the reference implementation raises whatever NumPy does
        raise CannotEvaluate(f"its constant inputs cannot be evaluated: {error}") from error
    by_name = dict(zip(names, results, strict=True))
    if not all(isinstance(r, np.ndarray | np.generic) for r in results):
        raise Unsupported("it yields a sequence or an optional")
    return [
        Tensor.constant(folded_array(np.asarray(by_name[n]))) if n else Tensor.constant(np.zeros(()))
        for n in proto.output
    ]


def _account(
    proto: onnx.NodeProto, given: Sequence[Tensor], shapes: Sequence[tuple[int, ...] | None], growth: Growth
) -> None:
    read = sum(t.size for t in given)
    if proto.op_type in _BOUNDED:
        made = [(t.size, t.rank) for t in given[:1]]
    elif None in shapes and proto.op_type != "Constant":
        raise Unsupported("the size of its result cannot be told from its constant inputs")
    else:
        made = [shape for shape in shapes if shape is not None]
    dtype = max((t.dtype for t in given), key=lambda d: d.itemsize, default=np.dtype(np.int64))
    if proto.op_type not in _VIEWS:
        for shape in made:
            growth.take(shape, np.int64 if proto.op_type == "Cast" else dtype)
    elements = read + sum(map(prod, made))
    if proto.op_type in _PRODUCTS:
        growth.work(elements + _multiplications(proto, given))
    else:
        growth.work(elements * (1 if proto.op_type in _QUICK else _SLOWNESS))


def _multiplications(proto: onnx.NodeProto, given: Sequence[Tensor]) -> int:
    if proto.op_type == "MatMul":
        x, y = (t.shape if t.rank > 1 else (1, *t.shape) for t in given)
        return max(prod(x) * y[-1], prod(y) * x[-2])
    return prod(sorted(t.size for t in given)[-2:])
