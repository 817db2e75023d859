"""Small TensorFlow Lite models for tests, made with the schema that ai-edge-litert brings, and its answer to them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

flatbuffers = pytest.importorskip("flatbuffers")
schema = pytest.importorskip(
    "ai_edge_litert.schema_py_generated", reason="ai-edge-litert, the oracle of TensorFlow Lite, is not installed"
)
pytest.importorskip("tosa_converter_for_tflite", reason="the extra [tflite] is not installed")

SAME, VALID = 0, 1
RELU, RELU_N1_TO_1, RELU6 = 1, 2, 3


class Graph:
    """A model under construction: tensors are told by their numbers."""

    def __init__(self) -> None:
        self._model = schema.ModelT()
        self._model.version, self._model.description = 3, "test"
        self._model.buffers, self._model.operatorCodes = [schema.BufferT()], []
        self._graph = _empty_graph()
        self._model.subgraphs = [self._graph]

    def tensor(
        self,
        name: str,
        shape: Sequence[int],
        dtype: Any = np.float32,
        *,
        scale: Sequence[float] = (),
        zero_point: int = 0,
        axis: int = 0,
        buffer: int = 0,
    ) -> int:
        """A tensor; -1 in `shape` is a dynamic dimension."""
        tensor = schema.TensorT()
        tensor.name, tensor.buffer, tensor.hasRank = name, buffer, True
        tensor.shape = [max(size, 1) for size in shape]
        if min(shape, default=0) < 0:
            tensor.shapeSignature = list(shape)
        tensor.type = getattr(schema.TensorType, np.dtype(dtype).name.upper())
        if len(scale):
            tensor.quantization = schema.QuantizationParametersT()
            tensor.quantization.scale = list(scale)
            tensor.quantization.zeroPoint = [zero_point] * len(scale)
            tensor.quantization.quantizedDimension = axis
        self._graph.tensors.append(tensor)
        return len(self._graph.tensors) - 1

    @property
    def tensors(self) -> list[Any]:
        """What the schema says of each tensor."""
        return self._graph.tensors

    @property
    def subgraphs(self) -> list[Any]:
        """What the schema says of each subgraph; the network is the first."""
        return self._model.subgraphs

    def subgraph(self, fill: Callable[..., None], *arguments: Any) -> None:
        """One more subgraph, the last, whose tensors and operators `fill` makes."""
        network, self._graph = self._graph, _empty_graph()
        self.subgraphs.append(self._graph)
        fill(self, *arguments)
        self._graph = network

    def signature(self, key: str, subgraph: int, argument: int, result: int) -> None:
        """Call a subgraph of one input and one output by a name of its own."""
        signature = schema.SignatureDefT()
        signature.signatureKey, signature.subgraphIndex = key, subgraph
        signature.inputs, signature.outputs = (
            [_argument(name, number)] for name, number in (("a", argument), ("b", result))
        )
        self._model.signatureDefs = [*(self._model.signatureDefs or []), signature]

    def input(self, name: str, shape: Sequence[int], dtype: Any = np.float32, **quantization: Any) -> int:
        self._graph.inputs.append(self.tensor(name, shape, dtype, **quantization))
        return self._graph.inputs[-1]

    def constant(self, name: str, values: Any, dtype: Any = np.float32, **quantization: Any) -> int:
        array = np.asarray(values, dtype)
        buffer = schema.BufferT()
        buffer.data = np.frombuffer(array.tobytes(), np.uint8)
        self._model.buffers.append(buffer)
        number = len(self._model.buffers) - 1
        return self.tensor(name, array.shape, dtype, buffer=number, **quantization)

    def op(
        self,
        kind: str,
        inputs: Sequence[int],
        name: str,
        shape: Sequence[int],
        dtype: Any = np.float32,
        *,
        quantization: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> int:
        """An operator with one output; options are fields of the operator's options in the schema."""
        output = self.tensor(name, shape, dtype, **(quantization or {}))
        self.operator(kind, inputs, [output], **options)
        return output

    def operator(
        self, kind: str, inputs: Sequence[int], outputs: Sequence[int], *, custom: bytes = b"", **options: Any
    ) -> None:
        operator = schema.OperatorT()
        operator.opcodeIndex = self._code(kind)
        operator.inputs, operator.outputs = list(inputs), list(outputs)
        operator.customOptions = np.frombuffer(custom, np.uint8) if custom else None
        title = _options_title(kind)
        if title is not None:
            operator.builtinOptionsType = getattr(schema.BuiltinOptions, title)
            operator.builtinOptions = getattr(schema, f"{title}T")()
            for field, value in options.items():
                setattr(operator.builtinOptions, field, value)
        self._graph.operators.append(operator)

    def save(self, path: Path, *outputs: int) -> Path:
        self._graph.outputs = list(outputs)
        builder = flatbuffers.Builder(1024)
        builder.Finish(self._model.Pack(builder), b"TFL3")
        path.write_bytes(bytes(builder.Output()))
        return path

    def _code(self, kind: str) -> int:
        code = schema.OperatorCodeT()
        number = getattr(schema.BuiltinOperator, kind, None)
        code.builtinCode = schema.BuiltinOperator.CUSTOM if number is None else number
        code.deprecatedBuiltinCode, code.version = min(code.builtinCode, 127), 1
        code.customCode = kind if number is None else None
        self._model.operatorCodes.append(code)
        return len(self._model.operatorCodes) - 1


def _empty_graph() -> Any:
    graph = schema.SubGraphT()
    graph.tensors, graph.operators, graph.inputs, graph.outputs = [], [], [], []
    return graph


def _argument(name: str, tensor: int) -> Any:
    argument = schema.TensorMapT()
    argument.name, argument.tensorIndex = name, tensor
    return argument


def _options_title(kind: str) -> str | None:
    """The options' type of an operator, e.g. Conv2DOptions of CONV_2D."""
    shared = {
        "AVERAGE_POOL_2D": "Pool2DOptions",
        "MAX_POOL_2D": "Pool2DOptions",
        "MEAN": "ReducerOptions",
        "SUM": "ReducerOptions",
        "REDUCE_MAX": "ReducerOptions",
        "BATCH_MATMUL": "BatchMatMulOptions",
    }
    title = shared.get(kind, "".join(word.capitalize() for word in kind.split("_")) + "Options")
    title = title.replace("2d", "2D")
    return title if hasattr(schema.BuiltinOptions, title) else None


def sparse(graph: Graph, name: str, dense: np.ndarray) -> int:
    """A constant matrix whose rows are stored as their elements that are not zero."""
    rows = [np.flatnonzero(row) for row in dense]
    number = graph.constant(name, dense[dense != 0])
    tensor = graph.tensors[number]
    tensor.shape = list(dense.shape)
    tensor.sparsity = schema.SparsityParametersT()
    tensor.sparsity.traversalOrder, tensor.sparsity.blockMap = [0, 1], []
    outer, inner = schema.DimensionMetadataT(), schema.DimensionMetadataT()
    outer.format, outer.denseSize = schema.DimensionType.DENSE, len(rows)
    inner.format = schema.DimensionType.SPARSE_CSR
    inner.arraySegmentsType, inner.arrayIndicesType = schema.SparseIndexVector.Uint8Vector, 1
    inner.arraySegments, inner.arrayIndices = schema.Uint8VectorT(), schema.Int32VectorT()
    inner.arraySegments.values = np.cumsum([0, *(len(row) for row in rows)]).tolist()
    inner.arrayIndices.values = np.concatenate(rows).tolist()
    tensor.sparsity.dimMetadata = [outer, inner]
    return number


def small_network(path: Path, *, batch: int = -1) -> Path:
    """A residual network of 8x8 images: convolutions, one depthwise, poolings, a fully connected layer, softmax."""
    rng = np.random.default_rng(3)
    graph = Graph()

    def weights(name: str, *shape: int) -> int:
        return graph.constant(name, rng.standard_normal(shape) / np.sqrt(np.prod(shape[1:])))

    x = graph.input("image", [batch, 8, 8, 3])
    stem = graph.op(
        "CONV_2D",
        [x, weights("w0", 8, 3, 3, 3), weights("b0", 8)],
        "stem/Relu;stem/Conv2D",
        [batch, 8, 8, 8],
        padding=SAME,
        strideH=1,
        strideW=1,
        fusedActivationFunction=RELU,
    )
    deep = graph.op(
        "DEPTHWISE_CONV_2D",
        [stem, weights("w1", 1, 3, 3, 8), weights("b1", 8)],
        "deep/Relu6;deep/depthwise",
        [batch, 8, 8, 8],
        padding=SAME,
        strideH=1,
        strideW=1,
        depthMultiplier=1,
        fusedActivationFunction=RELU6,
    )
    added = graph.op("ADD", [stem, deep], "add", [batch, 8, 8, 8])
    half = graph.op(
        "MAX_POOL_2D",
        [added],
        "pool",
        [batch, 4, 4, 8],
        padding=VALID,
        strideH=2,
        strideW=2,
        filterHeight=2,
        filterWidth=2,
    )
    mean = graph.op("MEAN", [half, graph.constant("axes", [1, 2], np.int32)], "mean", [batch, 8], keepDims=False)
    dense = graph.op("FULLY_CONNECTED", [mean, weights("w2", 5, 8), weights("b2", 5)], "dense/MatMul", [batch, 5])
    scores = graph.op("SOFTMAX", [dense], "Identity", [batch, 5], beta=1.0)
    return graph.save(path, scores)


def litert(path: Path, *inputs: np.ndarray) -> list[np.ndarray]:
    """LiteRT's results."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(str(path))
    details = interpreter.get_input_details()
    for detail, value in zip(details, inputs, strict=True):
        interpreter.resize_tensor_input(detail["index"], value.shape)
    interpreter.allocate_tensors()
    for detail, value in zip(details, inputs, strict=True):
        interpreter.set_tensor(detail["index"], value)
    interpreter.invoke()
    return [interpreter.get_tensor(detail["index"]) for detail in interpreter.get_output_details()]
