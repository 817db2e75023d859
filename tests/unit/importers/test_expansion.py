"""Operators that ONNX defines by others, against its reference implementation."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator

from quantune_mlir.errors import UnsupportedOperatorsError
from quantune_mlir.graph.units import find_units
from quantune_mlir.importers.onnx import import_onnx
from quantune_mlir.mlir.bindings import make_context
from quantune_mlir.mlir.function import entry_block, main_function
from tests.onnx_models import combine
from tests.support import call, compile_module, load_program

pytestmark = pytest.mark.slow

RNG = np.random.default_rng(10)


def normal(*shape: int) -> np.ndarray:
    return RNG.standard_normal(shape).astype(np.float32)


def model(op_type: str, inputs: dict[str, np.ndarray], opset: int = 23, **attributes: object) -> onnx.ModelProto:
    node = helper.make_node(op_type, list(inputs), ["out"], name="node", **attributes)
    infos = [
        helper.make_tensor_value_info(n, helper.np_dtype_to_tensor_dtype(v.dtype), v.shape) for n, v in inputs.items()
    ]
    graph = helper.make_graph([node], "g", infos, [helper.make_tensor_value_info("out", TensorProto.FLOAT, None)])
    return onnx.shape_inference.infer_shapes(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=10)
    )


QUERY, KEY, VALUE = normal(2, 4, 5, 8), normal(2, 4, 6, 8), normal(2, 4, 6, 8)
MASK = np.tri(5, 6, 1).astype(bool)
CASES = {
    "attention": ("Attention", {"Q": QUERY, "K": KEY, "V": VALUE}, {}),
    "scaled": ("Attention", {"Q": QUERY, "K": KEY, "V": VALUE}, {"scale": 0.1, "softcap": 2.0}),
    "masked": ("Attention", {"Q": QUERY, "K": KEY, "V": VALUE, "mask": MASK}, {}),
    "causal": ("Attention", {"Q": QUERY, "K": KEY[:, :, :5], "V": VALUE[:, :, :5]}, {"is_causal": 1}),
    "fewer heads of keys": ("Attention", {"Q": QUERY, "K": KEY[:, :2], "V": VALUE[:, :2]}, {}),
    "rotary": ("RotaryEmbedding", {"X": QUERY, "cos": normal(2, 5, 4), "sin": normal(2, 5, 4)}, {}),
}


def test_like_the_reference() -> None:
    context = make_context()
    models = [model(op_type, inputs, **attributes) for op_type, inputs, attributes in CASES.values()]
    program = load_program(compile_module(combine([import_onnx(m, context=context) for m in models], context)))
    for index, (name, (_, inputs, _)) in enumerate(CASES.items()):
        got = call(program, f"f{index}", tuple(inputs.values()))[0]
        wanted = ReferenceEvaluator(models[index]).run(None, inputs)[0]
        np.testing.assert_allclose(got, np.asarray(wanted), rtol=1e-4, atol=1e-5, err_msg=name)


def test_its_layers_are_called_after_the_node() -> None:
    module = import_onnx(model("Attention", {"Q": QUERY, "K": KEY, "V": VALUE}))
    layers = {unit.layer for unit in find_units(entry_block(main_function(module))) if unit.layer}
    assert all(layer.startswith("node/") for layer in layers)
    assert "node/MatMul" in layers


def test_what_onnx_cannot_write_out_is_refused() -> None:
    node = helper.make_node("Attention", ["Q", "K", "V", "", "K", "V"], ["out", "k", "v"], name="node")
    refused = model("Attention", {"Q": QUERY, "K": KEY, "V": VALUE})
    refused.graph.node[0].CopyFrom(node)
    with pytest.raises(UnsupportedOperatorsError, match="Attention"):
        import_onnx(refused)
