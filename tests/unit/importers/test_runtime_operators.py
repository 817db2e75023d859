"""Operators of other domains than ONNX's, against ONNX Runtime."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper

from quantune_mlir.errors import UnsupportedOperatorsError
from quantune_mlir.importers.onnx import import_onnx
from quantune_mlir.mlir.bindings import make_context
from tests.onnx_models import combine
from tests.support import call, compile_module, load_program

RNG = np.random.default_rng(11)


def normal(*shape: int) -> np.ndarray:
    return (RNG.standard_normal(shape) / 2).astype(np.float32)


@dataclass
class Case:
    """A node: its inputs by name, those that are computed, attributes, outputs that are looked at."""

    op_type: str
    inputs: dict[str, np.ndarray]
    attributes: dict[str, Any] = field(default_factory=dict[str, Any])
    computed: tuple[str, ...] = ("x",)
    outputs: tuple[str, ...] = ("out",)
    domain: str = "com.microsoft"

    def model(self) -> onnx.ModelProto:
        names = [name if self.inputs[name].size else "" for name in self.inputs]
        node = helper.make_node(
            self.op_type, names, list(self.outputs), name="node", domain=self.domain, **self.attributes
        )
        infos = [
            helper.make_tensor_value_info(n, helper.np_dtype_to_tensor_dtype(v.dtype), v.shape)
            for n, v in self.given().items()
        ]
        known = {name: value for name, value in self.inputs.items() if value.size and name not in self.computed}
        stored = [onnx.numpy_helper.from_array(value, name) for name, value in known.items()]
        kinds = {"lengths": TensorProto.INT32}
        results = [helper.make_tensor_value_info(n, kinds.get(n, TensorProto.FLOAT), None) for n in self.outputs if n]
        graph = helper.make_graph([node], "g", infos, results, stored)
        opsets = [helper.make_opsetid(*known) for known in (("", 13), ("com.microsoft", 1), ("ai.onnx.ml", 3))]
        return helper.make_model(graph, opset_imports=opsets, ir_version=8)

    def given(self) -> dict[str, np.ndarray]:
        return {name: self.inputs[name] for name in self.computed}


ABSENT = np.zeros(0, np.float32)
X, SKIP = normal(2, 6, 16), normal(2, 6, 16)
IMAGE, KERNEL = normal(1, 4, 6, 6), normal(5, 4, 3, 3)
WEIGHTS, BIAS, GAMMA = normal(16, 48), normal(48), 1 + normal(16)
KEPT = np.array([[1, 1, 1, 1, 0, 0], [1, 1, 1, 1, 1, 1]], np.int32)
IDS = np.array([[3, 1, 4, 1, 5, 9], [2, 6, 5, 3, 5, 8]], np.int32)
ATTENTION = {"x": X, "w": WEIGHTS, "b": BIAS}
EMBEDDED = {"x": IDS, "s": IDS % 2, "words": normal(10, 16), "places": normal(8, 16), "kinds": normal(2, 16)}
CASES = {
    "gelu": Case("Gelu", {"x": X}),
    "gelu of a sum": Case("BiasGelu", {"x": X, "b": normal(16)}),
    "gelu by tanh": Case("FastGelu", {"x": X, "b": normal(16)}),
    "gelu by sigmoid": Case("QuickGelu", {"x": X}, {"alpha": 1.5}),
    "convolution, sum, activation": Case(
        "FusedConv",
        {"x": IMAGE, "w": KERNEL, "b": normal(5), "z": normal(1, 5, 6, 6)},
        {"pads": [1, 1, 1, 1], "activation": "Relu"},
        ("x", "z"),
    ),
    "convolution, clip": Case(
        "FusedConv", {"x": IMAGE, "w": KERNEL}, {"activation": "Clip", "activation_params": [-0.2, 0.5]}
    ),
    "convolution, leaky": Case(
        "FusedConv", {"x": IMAGE, "w": KERNEL}, {"activation": "LeakyRelu", "activation_params": [0.3]}
    ),
    "gemm, leaky": Case(
        "FusedGemm",
        {"x": X[0], "w": normal(8, 16), "c": normal(8)},
        {"transB": 1, "alpha": 0.5, "activation": "LeakyRelu", "activation_alpha": 0.2},
    ),
    "matmul of transposed": Case("FusedMatMul", {"x": X, "y": SKIP}, {"transB": 1, "alpha": 0.25}, ("x", "y")),
    "attention": Case("Attention", ATTENTION, {"num_heads": 4}),
    "attention, masked": Case("Attention", {**ATTENTION, "m": KEPT}, {"num_heads": 4}, ("x", "m")),
    "attention, lengths": Case(
        "Attention", {**ATTENTION, "m": np.array([4, 6], np.int32)}, {"num_heads": 4}, ("x", "m")
    ),
    "attention, causal and scaled": Case("Attention", ATTENTION, {"num_heads": 2, "unidirectional": 1, "scale": 0.3}),
    "attention, relative positions": Case(
        "Attention",
        {**ATTENTION, "m": ABSENT, "past": ABSENT, "r": normal(2, 4, 6, 6)},
        {"num_heads": 4},
        ("x", "r"),
    ),
    "attention of many heads": Case(
        "MultiHeadAttention",
        {"x": X, "k": normal(2, 5, 16), "v": normal(2, 5, 16), "b": BIAS, "m": KEPT[:, :5]},
        {"num_heads": 4},
        ("x", "k", "v", "m"),
    ),
    "normalised, before ONNX could": Case(
        "LayerNormalization", {"x": X, "g": GAMMA, "b": normal(16)}, {"epsilon": 1e-5}, domain=""
    ),
    "simply normalised": Case("SimplifiedLayerNormalization", {"x": X, "g": GAMMA}, {"epsilon": 1e-5}, domain=""),
    "sum, normalised": Case(
        "SkipLayerNormalization",
        {"x": X, "y": SKIP, "g": GAMMA, "b": normal(16), "c": normal(16)},
        {"epsilon": 1e-5},
        ("x", "y"),
        ("out", "", "", "sum"),
    ),
    "sum, simply normalised": Case(
        "SkipSimplifiedLayerNormalization", {"x": X, "y": SKIP, "g": GAMMA}, {"epsilon": 1e-5}, ("x", "y")
    ),
    "embeddings": Case(
        "EmbedLayerNormalization",
        {**EMBEDDED, "g": GAMMA, "b": normal(16), "m": KEPT},
        {"epsilon": 1e-5},
        ("x", "s", "m"),
        ("out", "lengths"),
    ),
    "embeddings, not masked": Case(
        "EmbedLayerNormalization",
        {**EMBEDDED, "g": GAMMA, "b": normal(16)},
        {"epsilon": 1e-5},
        ("x", "s"),
        ("out", "lengths"),
    ),
    "scaled features": Case(
        "Scaler", {"x": X[0]}, {"offset": normal(16).tolist(), "scale": normal(16).tolist()}, domain="ai.onnx.ml"
    ),
    "scaled integers": Case("Scaler", {"x": IDS}, {"offset": [2.0], "scale": [0.5]}, domain="ai.onnx.ml"),
    "linear regression": Case(
        "LinearRegressor",
        {"x": X[0]},
        {"coefficients": normal(48).tolist(), "intercepts": normal(3).tolist(), "targets": 3},
        domain="ai.onnx.ml",
    ),
}


def test_like_onnx_runtime() -> None:
    context = make_context()
    models = [case.model() for case in CASES.values()]
    program = load_program(compile_module(combine([import_onnx(m, context=context) for m in models], context)))
    for index, (name, case) in enumerate(CASES.items()):
        got = call(program, f"f{index}", tuple(case.given().values()))
        wanted = onnxruntime.InferenceSession(models[index].SerializeToString()).run(None, case.given())
        for mine, other in zip(got, wanted, strict=True):
            np.testing.assert_allclose(mine, np.asarray(other), rtol=1e-4, atol=2e-5, err_msg=name)


REFUSED = {
    "keys and values of earlier runs": Case(
        "Attention", {**ATTENTION, "m": ABSENT, "past": normal(2, 2, 4, 3, 4)}, {"num_heads": 4}
    ),
    "output 1": Case("Attention", ATTENTION, {"num_heads": 4}, outputs=("out", "present")),
    "packed into one tensor": Case("MultiHeadAttention", {"x": normal(2, 6, 4, 3, 4)}, {"num_heads": 4}),
    "a mask of shape": Case("Attention", {**ATTENTION, "m": np.zeros(8, np.int32)}, {"num_heads": 4}),
    "activation 'Mish'": Case("FusedConv", {"x": IMAGE, "w": KERNEL}, {"activation": "Mish"}),
    "com.microsoft": Case("CropAndResize", {"x": IMAGE}),
    "post_transform 'PROBIT'": Case(
        "LinearRegressor",
        {"x": X[0]},
        {"coefficients": normal(16).tolist(), "post_transform": "PROBIT"},
        domain="ai.onnx.ml",
    ),
}


@pytest.mark.parametrize("reason", REFUSED)
def test_what_cannot_be_written_out_is_refused(reason: str) -> None:
    with pytest.raises(UnsupportedOperatorsError, match=reason):
        import_onnx(REFUSED[reason].model())
