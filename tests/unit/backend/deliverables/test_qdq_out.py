"""A plan as an ONNX model: what ONNX Runtime makes of it is what our own program computes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from quantune_mlir.backend.compilation import compile_program
from quantune_mlir.backend.deliverables.qdq.export import QdqModel, export_qdq
from quantune_mlir.backend.program import Program
from quantune_mlir.errors import OutputError
from quantune_mlir.hardware.targets import load_target
from quantune_mlir.integer.integer_options import Granularity
from quantune_mlir.model import Model
from quantune_mlir.numerics.formats import FP32, INT8
from quantune_mlir.planning.plan import LayerPlan, PrecisionPlan
from quantune_mlir.samples.sample_set import SampleSet
from quantune_mlir.sensitivity.calibration import Calibrator
from quantune_mlir.workflow.options import QuantizeOptions
from quantune_mlir.workflow.rewriting import PlanRewriter, integer_options

Node = tuple[str, list[str], str, dict[str, object]]
CHANNELS = 8
Residual = Callable[[Granularity], "Network"]


class Network:
    """A small network, quantized once, and how far two forms of it are apart."""

    def __init__(
        self,
        folder: Path,
        nodes: Sequence[Node],
        arrays: dict[str, NDArray[np.generic]],
        *,
        shape: tuple[int, ...] = (1, CHANNELS, 6, 6),
        output: str = "y",
        opset: int = 17,
        weights: Granularity = "per-channel",
    ) -> None:
        self.source = model_of(nodes, arrays, shape, output, opset)
        path = folder / "model.onnx"
        onnx.save(self.source, path)
        self.model = Model.load(path)
        self.x = np.random.default_rng(0).normal(size=(6, *shape[1:])).astype(np.float32)
        samples = SampleSet.open({"x": self.x}, self.model.inputs)
        profile = Calibrator(self.model, load_target("host")).run(samples)
        self.options = QuantizeOptions(weights=weights)
        self.rewriter = PlanRewriter(self.model, profile, self.options)

    def plan(self, *in_fp32: str) -> PrecisionPlan:
        layers = tuple(
            LayerPlan(name=layer.name, precision=FP32) for layer in self.model.layers if layer.name in in_fp32
        )
        return PrecisionPlan(format=1, default=INT8, layers=layers)

    def export(self, *in_fp32: str) -> QdqModel:
        annotated = self.rewriter.annotated(self.plan(*in_fp32))
        return export_qdq(self.source, self.model, annotated, integer_options(self.options))

    def difference(self, exported: QdqModel, *in_fp32: str) -> float:
        """The noise in dB between what ONNX Runtime and our program make of the samples."""
        program = Program(compile_program(self.rewriter.rewrite(self.plan(*in_fp32)).module, load_target("host")))
        session = session_of(exported.proto)
        ours = np.stack([program(x[None])[0] for x in self.x]).astype(np.float64)
        theirs = np.stack([session.run(None, {"x": x[None]})[0] for x in self.x])
        return float(10 * np.log10((ours**2).sum() / max(((ours - theirs) ** 2).sum(), 1e-30)))


def model_of(
    nodes: Sequence[Node], arrays: dict[str, NDArray[np.generic]], shape: Sequence[int], output: str, opset: int
) -> onnx.ModelProto:
    graph = helper.make_graph(
        [helper.make_node(op, inputs, result.split(), name=result, **given) for op, inputs, result, given in nodes],
        "network",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, list(shape))],
        [helper.make_tensor_value_info(output, TensorProto.FLOAT, None)],
        [numpy_helper.from_array(array, name) for name, array in arrays.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    return onnx.shape_inference.infer_shapes(model)


def session_of(model: onnx.ModelProto) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def normal(*shape: int, seed: int = 1, scale: float = 0.3) -> NDArray[np.float32]:
    return (np.random.default_rng(seed).normal(size=shape) * scale).astype(np.float32)


def batch_norm(channels: int = CHANNELS) -> dict[str, NDArray[np.generic]]:
    rng = np.random.default_rng(2)
    return {
        "gain": rng.uniform(0.5, 2, channels).astype(np.float32),
        "offset": rng.normal(size=channels).astype(np.float32),
        "mean": rng.normal(size=channels).astype(np.float32),
        "variance": rng.uniform(0.5, 2, channels).astype(np.float32),
    }


def op_types(model: onnx.ModelProto) -> Counter[str]:
    return Counter(node.op_type for node in model.graph.node)


RESIDUAL: list[Node] = [
    ("Conv", ["x", "w1"], "conv1", {"pads": [1, 1, 1, 1]}),
    ("BatchNormalization", ["conv1", "gain", "offset", "mean", "variance"], "bn1", {}),
    ("Relu", ["bn1"], "relu1", {}),
    ("Conv", ["relu1", "w2", "b2"], "conv2", {"pads": [1, 1, 1, 1], "group": CHANNELS}),
    ("Clip", ["conv2", "zero", "six"], "relu6", {}),
    ("Conv", ["relu6", "w3"], "conv3", {}),
    ("Add", ["conv3", "relu1"], "sum", {}),
    ("MaxPool", ["sum"], "pool", {"kernel_shape": [2, 2], "strides": [2, 2]}),
    ("Conv", ["pool", "w4"], "conv4", {}),
    ("Concat", ["conv4", "pool"], "joined", {"axis": 1}),
    ("AveragePool", ["joined"], "means", {"kernel_shape": [3, 3]}),
    ("Flatten", ["means"], "flat", {}),
    ("Gemm", ["flat", "w5", "b5"], "y", {"alpha": 0.5}),
]
"""A folded batch norm, a depthwise convolution, clamps, a sum, a pool, a concatenation, a mean, a matrix product."""


@pytest.fixture(scope="module")
def residual(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Granularity], Network]:
    return cache(lambda weights: residual_network(tmp_path_factory.mktemp(weights), weights))


def residual_network(folder: Path, weights: Granularity) -> Network:
    arrays: dict[str, NDArray[np.generic]] = {
        "w1": normal(CHANNELS, CHANNELS, 3, 3),
        **batch_norm(),
        "w2": normal(CHANNELS, 1, 3, 3) * np.geomspace(0.1, 10, CHANNELS, dtype=np.float32).reshape(-1, 1, 1, 1),
        "b2": normal(CHANNELS),
        "zero": np.array(0, np.float32),
        "six": np.array(6, np.float32),
        "w3": normal(CHANNELS, CHANNELS, 1, 1),
        "w4": normal(CHANNELS, CHANNELS, 1, 1),
        "w5": normal(2 * CHANNELS, 5),
        "b5": normal(5),
    }
    return Network(folder, RESIDUAL, arrays, weights=weights)


@pytest.mark.parametrize(
    ("weights", "in_fp32"),
    [
        ("per-channel", ()),
        ("per-channel", ("conv1", "conv4", "y")),
        ("per-channel", ("sum",)),
        ("per-tensor", ()),
        ("per-tensor", ("conv2", "y")),
    ],
)
def test_onnx_runtime_computes_what_our_program_does(
    residual: Residual, weights: Granularity, in_fp32: tuple[str, ...]
) -> None:
    network = residual(weights)
    exported = network.export(*in_fp32)
    assert exported.left_in_fp32 == ()
    assert network.difference(exported, *in_fp32) > 42


def test_batch_norm_is_folded_and_clamps_are_saturation(residual: Residual) -> None:
    found = op_types(residual("per-channel").export().proto)
    assert not {"BatchNormalization", "Relu", "Clip"} & found.keys()
    assert (found["Conv"], found["Gemm"]) == (4, 1)


def test_onnx_runtime_computes_all_products_in_int8(residual: Residual, tmp_path: Path) -> None:
    exported = residual("per-channel").export()
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(tmp_path / "optimized.onnx")
    options.log_severity_level = 3
    onnxruntime.InferenceSession(exported.to_bytes(), options, providers=["CPUExecutionProvider"])
    found = op_types(onnx.load(tmp_path / "optimized.onnx"))
    assert (found["QLinearConv"], found["QGemm"], found["QLinearAdd"]) == (4, 1, 1)
    assert not {"Conv", "FusedConv", "Gemm"} & found.keys()


def test_biases_are_int32_and_weights_have_a_scale_for_each_channel(residual: Residual) -> None:
    model = residual("per-channel").export().proto
    stored = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    makers = {node.output[0]: node for node in model.graph.node}
    conv = next(node for node in model.graph.node if node.name == "conv1")
    x, weights, bias = (makers[name] for name in conv.input)
    assert stored[weights.input[0]].dtype == np.int8
    assert stored[bias.input[0]].dtype == np.int32
    assert stored[x.input[2]].dtype == np.uint8
    np.testing.assert_allclose(stored[bias.input[1]], stored[x.input[1]] * stored[weights.input[1]], rtol=1e-6)


def test_an_fp32_layer_between_int8_neighbours_reads_what_is_not_rounded(residual: Residual) -> None:
    model = residual("per-channel").export("conv3").proto
    makers = {node.output[0]: node for node in model.graph.node}
    conv = next(node for node in model.graph.node if node.name == "conv3")
    assert makers[conv.input[0]].op_type not in ("QuantizeLinear", "DequantizeLinear")
    assert conv.input[1] in {tensor.name for tensor in model.graph.initializer}


def test_an_average_that_nothing_rounds_reads_what_openvino_does_not_compute_on_integers(residual: Residual) -> None:
    for in_fp32, source in (((), "DequantizeLinear"), (("y",), "Clip")):
        model = residual("per-tensor").export(*in_fp32).proto
        makers = {node.output[0]: node.op_type for node in model.graph.node}
        (average,) = (node for node in model.graph.node if node.op_type == "AveragePool")
        assert makers[average.input[0]] == source


def test_onnx_runtime_leaves_an_fp32_layer_behind_a_rounded_tensor_alone(tmp_path: Path) -> None:
    """It would quantize a convolution between a DequantizeLinear of one scale and a QuantizeLinear by itself."""
    nodes: list[Node] = [
        ("Conv", ["x", "w1"], "first", {}),
        ("Conv", ["first", "w2"], "kept", {}),
        ("Conv", ["first", "w3"], "beside", {}),
        ("Add", ["kept", "beside"], "sum", {}),
        ("Conv", ["sum", "w4"], "y", {}),
    ]
    arrays = {f"w{i}": normal(CHANNELS, CHANNELS, 1, 1, seed=i) for i in range(1, 5)}
    arrays["w2"][0, 0] = 40  # one scale for all of its weights would leave nothing of the others
    network = Network(tmp_path, nodes, arrays)
    exported = network.export("kept")
    assert network.difference(exported, "kept") > 40


def test_what_was_folded_into_the_inputs_goes(tmp_path: Path) -> None:
    nodes: list[Node] = [
        ("Sub", ["x", "center"], "centred", {}),
        ("Mul", ["centred", "factor"], "scaled", {}),
        ("Conv", ["scaled", "w1"], "conv", {}),
        ("MatMul", ["conv", "w2"], "product", {}),
        ("Add", ["product", "b2"], "y", {}),
    ]
    arrays: dict[str, NDArray[np.generic]] = {
        "center": normal(1, CHANNELS, 1, 1),
        "factor": normal(1, CHANNELS, 1, 1, seed=4) + 2,
        "w1": normal(4, CHANNELS, 1, 1),
        "w2": normal(6, 3),
        "b2": normal(3),
    }
    network = Network(tmp_path, nodes, arrays)
    exported = network.export()
    found = op_types(exported.proto)
    assert (found["Sub"], found["Mul"], found["Add"]) == (0, 0, 1)
    assert network.difference(exported) > 42


def test_functions_and_constants_of_two_operands(tmp_path: Path) -> None:
    nodes: list[Node] = [
        ("Conv", ["x", "w1"], "conv", {}),
        ("Sigmoid", ["conv"], "gate", {}),
        ("Mul", ["conv", "gate"], "swish", {}),
        ("Add", ["swish", "field"], "shifted", {}),
        ("AveragePool", ["shifted"], "average", {"kernel_shape": [3, 3]}),
        ("Conv", ["average", "w2"], "conv2", {}),
        ("LeakyRelu", ["conv2"], "leaky", {"alpha": 0.1}),
        ("Reshape", ["leaky", "shape"], "rows", {}),
        ("Transpose", ["rows"], "columns", {"perm": [0, 2, 1]}),
        ("MatMul", ["rows", "columns"], "gram", {}),
        ("Softmax", ["gram"], "y", {}),
    ]
    arrays: dict[str, NDArray[np.generic]] = {
        "w1": normal(CHANNELS, CHANNELS, 1, 1),
        "field": normal(1, CHANNELS, 6, 6),
        "w2": normal(CHANNELS, CHANNELS, 1, 1),
        "shape": np.array([0, CHANNELS, -1], np.int64),
    }
    network = Network(tmp_path, nodes, arrays)
    exported = network.export()
    assert exported.left_in_fp32 == ()
    assert network.difference(exported) > 35


def test_an_old_opset_is_raised(tmp_path: Path) -> None:
    nodes: list[Node] = [("Conv", ["x", "w"], "conv", {}), ("Clip", ["conv"], "y", {"min": 0.0, "max": 1.0})]
    network = Network(tmp_path, nodes, {"w": normal(4, CHANNELS, 1, 1)}, opset=9)
    exported = network.export()
    assert exported.proto.opset_import[0].version == 13
    assert network.difference(exported) > 42


@pytest.mark.parametrize("gain", [None, 0.05, 20.0])
def test_layers_without_a_node_stay_in_fp32_and_are_named(tmp_path: Path, gain: float | None) -> None:
    """Also where a factor was folded into them, and what they make has another scale in the graph."""
    nodes: list[Node] = [
        ("Conv", ["x", "w1"], "conv", {}),
        ("ConvTranspose", ["conv", "w2"], "up", {"strides": [2, 2]}),
        *([("Mul", ["up", "gain"], "louder", {})] if gain else []),
        ("Conv", ["louder" if gain else "up", "w3"], "y", {}),
    ]
    arrays: dict[str, NDArray[np.generic]] = {
        "w1": normal(CHANNELS, CHANNELS, 1, 1),
        "w2": normal(CHANNELS, CHANNELS, 2, 2),
        "gain": np.array(gain or 1, np.float32),
        "w3": normal(4, CHANNELS, 1, 1),
    }
    network = Network(tmp_path, nodes, arrays)
    exported = network.export()
    assert exported.left_in_fp32 == ("up",)
    assert network.difference(exported) > 35


def test_a_mean_whose_divisor_went_into_a_product_is_not_rounded_by_its_scale(tmp_path: Path) -> None:
    nodes: list[Node] = [
        ("ReduceMean", ["x"], "means", {"axes": [1], "keepdims": 0}),
        ("Gemm", ["means", "w"], "y", {}),
    ]
    network = Network(tmp_path, nodes, {"w": normal(CHANNELS, 4)}, shape=(1, 12, CHANNELS))
    exported = network.export()
    assert exported.left_in_fp32 == ("y",)
    assert network.difference(exported) > 30


def test_a_product_behind_a_node_of_many_layers_is_int8(tmp_path: Path) -> None:
    nodes: list[Node] = [
        ("RNN", ["x", "w", "r"], "steps last", {"hidden_size": 6}),
        ("Reshape", ["steps", "shape"], "rows", {}),
        ("MatMul", ["rows", "v"], "y", {}),
    ]
    arrays: dict[str, NDArray[np.generic]] = {
        "w": normal(1, 6, CHANNELS),
        "r": normal(1, 6, 6),
        "shape": np.array([3, 6]),
        "v": normal(6, 4),
    }
    network = Network(tmp_path, nodes, arrays, shape=(3, 1, CHANNELS))
    exported = network.export()
    assert "y" not in exported.left_in_fp32
    assert op_types(exported.proto)["DequantizeLinear"] > 1


def test_convolutions_whose_window_was_cropped_are_int8(tmp_path: Path) -> None:
    wide: dict[str, object] = {"pads": [8, 0, 8, 0], "dilations": [8, 1]}
    nodes: list[Node] = [
        ("Conv", ["x", "w"], "a", {**wide, "kernel_shape": [3, 1]}),
        ("Conv", ["a", "d"], "y", {**wide, "kernel_shape": [3, 1], "group": CHANNELS}),
    ]
    arrays: dict[str, NDArray[np.generic]] = {
        "w": normal(CHANNELS, CHANNELS, 3, 1),
        "d": normal(CHANNELS, 1, 3, 1, seed=2),
    }
    network = Network(tmp_path, nodes, arrays)
    exported = network.export()
    assert not exported.left_in_fp32
    assert network.difference(exported) > 30


def test_an_average_beyond_counted_padding_is_computed_in_fp32(tmp_path: Path) -> None:
    window: dict[str, object] = {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1], "strides": [2, 2]}
    nodes: list[Node] = [
        ("Conv", ["x", "w1"], "conv", {}),
        ("AveragePool", ["conv"], "means", {**window, "count_include_pad": 1, "ceil_mode": 1}),
        ("Conv", ["means", "w2"], "y", {}),
    ]
    arrays: dict[str, NDArray[np.generic]] = {"w1": normal(CHANNELS, CHANNELS, 1, 1), "w2": normal(4, CHANNELS, 1, 1)}
    network = Network(tmp_path, nodes, arrays)
    assert network.difference(network.export()) > 25


def test_outputs_may_be_declared_without_a_shape(residual: Residual) -> None:
    network = residual("per-channel")
    open_ended = onnx.ModelProto()
    open_ended.CopyFrom(network.source)
    open_ended.graph.output[0].type.tensor_type.ClearField("shape")
    annotated = network.rewriter.annotated(network.plan())
    exported = export_qdq(open_ended, network.model, annotated, integer_options(network.options))
    assert len(exported.proto.graph.output[0].type.tensor_type.shape.dim) == 2


def test_fp16_is_refused(residual: Residual) -> None:
    network = residual("per-channel")
    half = onnx.ModelProto()
    half.CopyFrom(network.source)
    half.graph.initializer.append(numpy_helper.from_array(np.ones(1, np.float16), "half"))
    with pytest.raises(OutputError, match="'half'"):
        export_qdq(half, network.model, network.rewriter.annotated(network.plan()), integer_options(network.options))


def test_the_same_bytes_come_out_again(residual: Residual) -> None:
    network = residual("per-channel")
    assert network.export().to_bytes() == network.export().to_bytes()
