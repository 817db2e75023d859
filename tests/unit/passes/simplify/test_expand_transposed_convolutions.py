"""Transposed convolutions, expanded, are what ONNX Runtime computes."""

from __future__ import annotations

import numpy as np
import onnx

from quantune_mlir.importers.onnx import import_onnx
from quantune_mlir.mlir.bindings import make_context
from quantune_mlir.passes.simplify.expand_transposed_convolutions import ExpandTransposedConvolutions
from quantune_mlir.pipeline.driver import run_pipeline
from tests.onnx_models import build_model, combine, reference
from tests.support import call, compile_module, load_program

CASES = [
    ((4, 5), (3, 3), {}),
    ((4, 5), (2, 2), {"strides": [2, 2]}),
    ((4, 5), (3, 3), {"strides": [2, 2], "pads": [1, 1, 1, 1], "output_padding": [1, 1]}),
    ((4, 5), (4, 4), {"strides": [2, 2], "pads": [0, 1, 2, 3]}),
    ((4, 5), (2, 2), {"strides": [3, 4]}),
    ((3, 7), (5, 3), {"strides": [3, 1], "pads": [2, 1, 2, 1]}),
    ((5, 5), (3, 3), {"pads": [1, 1, 1, 1]}),
    ((3, 3), (3, 3), {"strides": [2, 2], "dilations": [2, 1]}),
    ((9,), (4,), {"strides": [2], "pads": [1, 1]}),
]


def test_expanded_convolutions_equal_onnxruntime() -> None:
    rng = np.random.default_rng(5)
    context = make_context()
    inputs, wanted, modules = [], [], []
    for size, kernel, attributes in CASES:
        x, w, b = (rng.standard_normal(shape).astype(np.float32) for shape in ((2, 3, *size), (3, 4, *kernel), (4,)))
        nodes = [
            onnx.helper.make_node("ConvTranspose", ["x", "w", "b"], ["t"], name="up", **attributes),
            onnx.helper.make_node("Relu", ["t"], ["y"], name="relu"),
        ]
        model = build_model(nodes, {"x": x}, {"w": w, "b": b}, ["y"])
        module = import_onnx(model, context=context)
        run_pipeline(module, [ExpandTransposedConvolutions()])
        assert "tosa.transpose_conv2d" not in str(module)
        inputs.append(x)
        wanted += reference(model, {"x": x})
        modules.append(module)
    program = load_program(compile_module(combine(modules, context)))
    for index, (x, expected) in enumerate(zip(inputs, wanted, strict=True)):
        np.testing.assert_allclose(call(program, f"f{index}", (x,))[0], expected, rtol=1e-4, atol=1e-5)
