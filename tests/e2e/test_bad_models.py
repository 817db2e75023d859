"""Models that cannot be quantized: one line that names the file and the remedy, nothing written."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from tests.e2e.conftest import Refused
from tests.e2e.models import conv_relu, images, make_model, save_model, save_samples


class TestModel:
    def test_missing(self, refused_early: Refused) -> None:
        message = refused_early(model="absent.onnx")
        assert "absent.onnx: no such file" in message and "remedy: " in message

    @pytest.mark.parametrize("kept", [0, 1, 10, 100, -1, -7])
    def test_truncated(self, refused_early: Refused, work: Path, kept: int) -> None:
        (work / "m.onnx").write_bytes((work / "good.onnx").read_bytes()[:kept])
        assert "m.onnx: not " in refused_early(model="m.onnx")

    @pytest.mark.parametrize("content", [b"hello, world\n" * 20, b"\x89PNG\r\n\x1a\n" + bytes(100), bytes(1000)])
    def test_not_onnx(self, refused_early: Refused, work: Path, content: bytes) -> None:
        (work / "m.onnx").write_bytes(content)
        assert "m.onnx: not an ONNX model" in refused_early(model="m.onnx")

    def test_directory(self, refused_early: Refused, work: Path) -> None:
        assert "not a file" in refused_early(model=work)

    def test_refused_by_the_onnx_checker(self, refused_early: Refused, work: Path) -> None:
        model = conv_relu()
        model.graph.node[1].input[0] = "nowhere"
        save_model(model, work / "m.onnx")
        message = refused_early(model="m.onnx")
        assert "m.onnx: not a valid ONNX model" in message and "nowhere" in message

    def test_all_unsupported_operators_at_once(self, refused_early: Refused, work: Path) -> None:
        nodes = [
            helper.make_node("Conv", ["x", "w"], ["c"], name="conv", pads=[1, 1, 1, 1]),
            helper.make_node("NonZero", ["c"], ["n"], name="first"),
            helper.make_node("Cast", ["n"], ["f"], name="cast", to=TensorProto.FLOAT),
            helper.make_node("Det", ["c"], ["d"], name="second"),
            helper.make_node("ReduceSum", ["f"], ["s"], name="sum", keepdims=0),
            helper.make_node("Add", ["d", "s"], ["y"], name="add"),
        ]
        save_model(make_model(nodes, list(conv_relu().graph.initializer), output="y"), work / "m.onnx")
        message = refused_early(model="m.onnx")
        assert "m.onnx: 2 node(s) cannot be imported" in message
        assert "first (NonZero): " in message and "second (Det): " in message

    def test_quantized_already(self, refused_early: Refused, work: Path) -> None:
        nodes = [
            helper.make_node("QuantizeLinear", ["x", "s", "z"], ["q"], name="first/quantize"),
            helper.make_node("DequantizeLinear", ["q", "s", "z"], ["y"], name="first/dequantize"),
        ]
        constants = [
            numpy_helper.from_array(np.array(1, dtype), name) for name, dtype in (("s", np.float32), ("z", np.int8))
        ]
        save_model(make_model(nodes, constants, output="y"), work / "m.onnx")
        message = refused_early(model="m.onnx")
        assert "quantized already" in message and "first/quantize" in message

    @pytest.mark.parametrize("value", [np.nan, np.inf])
    def test_nan_in_weights(self, refused_early: Refused, work: Path, value: float) -> None:
        weight = np.ones((3, 2, 3, 3), np.float32)
        weight[1, 0, 2, 1] = value
        save_model(conv_relu(weight=numpy_helper.from_array(weight, "w")), work / "m.onnx")
        message = refused_early(model="m.onnx")
        assert "m.onnx: tensor 'w' holds 1 NaN or infinite" in message and "[1, 0, 2, 1]" in message

    def test_nothing_to_quantize(self, refused_early: Refused, work: Path) -> None:
        save_model(make_model([helper.make_node("Identity", ["x"], ["y"])], output="y"), work / "m.onnx")
        assert "m.onnx: the model computes nothing" in refused_early(model="m.onnx")

    def test_dynamic_shape_as_the_samples_have_it(self, refused_early: Refused, work: Path) -> None:
        model = conv_relu()
        for position in (0, 2, 3):
            model.graph.input[0].type.tensor_type.shape.dim[position].dim_value = -1
        model.graph.node.append(helper.make_node("GlobalAveragePool", ["y"], ["z"], name="pool"))
        model.graph.output[0].name = "z"
        save_model(onnx.shape_inference.infer_shapes(model), work / "m.onnx")
        labels = np.array([0, 1, 3])
        save_samples(work / "d.npz", x=images(), labels=labels)
        message = refused_early(model="m.onnx", data="d.npz")
        assert "sample 2 is labelled 3, but the model's first output has 3 score(s)" in message

    @pytest.mark.parametrize("shape", ["x", "x=", "x=1x2xq", "x=1x0x4x4", "1x2x4x4"])
    def test_malformed_shape(self, refused_early: Refused, shape: str) -> None:
        assert f"--shape {shape}: not a shape" in refused_early("--shape", shape)

    def test_shape_of_an_unknown_input(self, refused_early: Refused) -> None:
        assert "there is no input 'z'" in refused_early("--shape", "z=1x2x4x4")
