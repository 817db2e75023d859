"""Which of ONNX's own node tests are run, and in which form.

A node test is selected when
- its model uses an opset that the importer knows (7 or newer), and
- every node of its model is of an op type in OPERATORS (the operators the importer promises), and
- every graph input and output is a tensor of a type in ELEMENT_TYPES (what TOSA has tensors of), with elements.
So float64, bfloat16, float8, the 2- and 4-bit types, uint16/32/64, strings, sequences and optionals are out.

Inputs that the operator reads as a shape, axes, pads, and so on (CONSTANT_OPERANDS), directly or through other
nodes, become initializers, since the importer needs them at import. A test left without inputs gets one that
nothing reads.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import onnx
from onnx.backend.test.case.test_case import TestCase
from onnx.backend.test.loader import load_model_tests

from quantune_mlir.importers.onnx.loading import OLDEST_OPSET, opset_version

OPERATORS = frozenset(
    """
    Abs Acos Acosh Add AffineGrid And ArgMax ArgMin Asin Asinh Atan Atanh AveragePool BatchNormalization BitShift
    BitwiseAnd BitwiseNot BitwiseOr BitwiseXor Cast CastLike Ceil Celu Clip Col2Im Compress Concat
    ConcatFromSequence Constant ConstantOfShape Conv ConvTranspose Cos Cosh CumProd CumSum DFT DeformConv
    DepthToSpace Div Dropout Einsum Elu Equal Erf Exp Expand EyeLike Flatten Floor GRU Gather GatherElements
    GatherND Gelu Gemm GlobalAveragePool GlobalLpPool GlobalMaxPool Greater GreaterOrEqual GridSample
    GroupNormalization HardSigmoid HardSwish Hardmax Identity InstanceNormalization IsInf IsNaN LRN LSTM
    LayerNormalization LeakyRelu Less LessOrEqual Log LogSoftmax LpNormalization LpPool MatMul Max MaxPool Mean
    MeanVarianceNormalization Min Mish Mod Mul Neg Not OneHot Or PRelu Pad Pow RMSNormalization RNN Range Reciprocal
    ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd ReduceSum
    ReduceSumSquare Relu Reshape Resize ReverseSequence Round STFT ScatterElements ScatterND Selu SequenceAt
    SequenceConstruct SequenceEmpty SequenceErase SequenceInsert SequenceLength Shape Shrink Sigmoid Sign Sin Sinh
    Size Slice Softmax Softplus Softsign SpaceToDepth Split SplitToSequence Sqrt Squeeze Sub Sum Swish Tan Tanh
    ThresholdedRelu Tile TopK Transpose Trilu Unsqueeze Upsample Where Xor
    """.split()  # noqa: SIM905
)
ELEMENT_TYPES = frozenset(np.dtype(t) for t in ("f4", "f2", "i1", "u1", "i2", "i4", "i8", "?"))
CONSTANT_OPERANDS = {
    "AffineGrid": (1,),
    "Col2Im": (1, 2),
    "Compress": (1,),
    "ConstantOfShape": (0,),
    "CumProd": (1,),
    "CumSum": (1,),
    "DFT": (1, 2),
    "DeformConv": (1, 3),
    "Dropout": (1, 2),
    "Expand": (1,),
    "GRU": (1, 2, 3, 4),
    "LSTM": (1, 2, 3, 4, 7),
    "OneHot": (1,),
    "Pad": (1, 2, 3),
    "RNN": (1, 2, 3, 4),
    "Range": (0, 1, 2),
    "ReduceL1": (1,),
    "ReduceL2": (1,),
    "ReduceLogSum": (1,),
    "ReduceLogSumExp": (1,),
    "ReduceMax": (1,),
    "ReduceMean": (1,),
    "ReduceMin": (1,),
    "ReduceProd": (1,),
    "ReduceSum": (1,),
    "ReduceSumSquare": (1,),
    "Reshape": (1,),
    "Resize": (1, 2, 3),
    "STFT": (1, 2, 3),
    "ScatterElements": (1,),
    "Slice": (1, 2, 3, 4),
    "Split": (1,),
    "Squeeze": (1,),
    "Tile": (1,),
    "TopK": (1,),
    "Trilu": (1,),
    "Unsqueeze": (1,),
    "Upsample": (1,),
}


@dataclass(frozen=True)
class NodeCase:
    """One node test: a model, its run-time inputs in order, the wanted outputs, and the tolerances."""

    name: str
    model: onnx.ModelProto
    inputs: tuple[np.ndarray, ...]
    outputs: tuple[np.ndarray, ...]
    rtol: float
    atol: float


@cache
def node_cases() -> tuple[NodeCase, ...]:
    """All selected node tests, by name."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tests = load_model_tests(kind="node")
    cases = [_case(test) for test in sorted(tests, key=lambda t: t.name) if _selected(test)]
    return tuple(cases)


def _selected(test: TestCase) -> bool:
    model = _model(test)
    if opset_version(model) < OLDEST_OPSET:
        return False
    if any(n.op_type not in OPERATORS or n.domain not in ("", "ai.onnx") for n in model.graph.node):
        return False
    values: list[object] = [value for side in _data(test) for value in side]
    return all(isinstance(v, np.ndarray | np.generic) and v.dtype in ELEMENT_TYPES and v.size > 0 for v in values)


def _case(test: TestCase) -> NodeCase:
    model = onnx.ModelProto()
    model.CopyFrom(_model(test))
    graph = model.graph
    inputs, outputs = _data(test)
    constants = _needed_at_import(graph)
    kept = []
    declared = list(graph.input)
    del graph.input[:]
    for info, array in zip(declared, inputs, strict=True):
        if info.name in constants:
            graph.initializer.append(onnx.numpy_helper.from_array(np.asarray(array), info.name))
        else:
            graph.input.append(info)
            kept.append(np.asarray(array))
    if not kept:
        graph.input.append(onnx.helper.make_tensor_value_info("unused", onnx.TensorProto.FLOAT, [1]))
        kept.append(np.zeros(1, np.float32))
    return NodeCase(test.name, model, tuple(kept), tuple(np.asarray(o) for o in outputs), test.rtol, test.atol)


def _model(test: TestCase) -> onnx.ModelProto:
    assert test.model is not None
    return test.model


def _data(test: TestCase) -> tuple[Sequence[np.ndarray], Sequence[np.ndarray]]:
    """The inputs and outputs of a node test, which has one set of them."""
    assert test.data_sets is not None
    return test.data_sets[0]


def _needed_at_import(graph: onnx.GraphProto) -> set[str]:
    """Values that some node reads as a constant, and what they are computed from; a tensor's shape is known anyway."""
    needed: set[str] = set()
    for node in reversed(graph.node):
        if needed & set(node.output) and node.op_type != "Shape":
            needed.update(node.input)
        for index in CONSTANT_OPERANDS.get(node.op_type, ()):
            needed.update(node.input[index : index + 1])
    return needed
