"""Convolutions and pools of any geometry get the shapes that ONNX infers, and TOSA's own rules hold."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from quantune_mlir.errors import UnsupportedOperatorsError
from quantune_mlir.importers.onnx import import_onnx
from tests.onnx_models import OneNode

sizes = st.tuples(st.integers(1, 20), st.integers(1, 20))
small = st.tuples(st.integers(1, 4), st.integers(1, 4))


@st.composite
def windows(draw: st.DrawFn) -> tuple[tuple[int, int], dict[str, Any]]:
    """An image size, and a window's attributes with every padding smaller than the kernel."""
    kernel, attributes = draw(small), {}
    attributes["kernel_shape"] = list(kernel)
    attributes["strides"] = list(draw(small))
    attributes["dilations"] = list(draw(st.tuples(st.integers(1, 3), st.integers(1, 3))))
    rule = draw(st.sampled_from(["NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER"]))
    if rule == "NOTSET":
        attributes["pads"] = [draw(st.integers(0, k - 1)) for k in (*kernel, *kernel)]
    else:
        attributes["auto_pad"] = rule
        if rule != "VALID":
            attributes["dilations"] = [1, 1]
    return draw(sizes), attributes


def check(case: OneNode) -> None:
    """The imported result has the shape that ONNX infers; import verifies each op by TOSA's rules."""
    model = case.model()
    wanted = [d.dim_value for d in model.graph.output[0].type.tensor_type.shape.dim]
    assume(min(wanted) > 0)
    module = import_onnx(model)
    assert module.operation.verify()
    result = str(next(iter(module.body)).type).split("-> ")[1]
    assert result == f"tensor<{'x'.join(map(str, wanted))}xf32>"


def fits(size: tuple[int, int], attributes: dict[str, Any]) -> bool:
    """Whether at least one window lies on the padded image, which ONNX leaves undefined otherwise."""
    pads = attributes.get("pads", [0, 0, 0, 0])
    if attributes.get("auto_pad", "VALID") != "VALID":
        return True
    extents = [(k - 1) * d + 1 for k, d in zip(attributes["kernel_shape"], attributes["dilations"], strict=True)]
    return all(size[i] + pads[i] + pads[i + 2] >= extents[i] for i in range(2))


@given(windows(), st.booleans())
def test_convolution(window: tuple[tuple[int, int], dict[str, Any]], depthwise: bool) -> None:
    size, attributes = window
    assume(fits(size, attributes))
    weights = np.ones((4, 1 if depthwise else 2, *attributes["kernel_shape"]), np.float32)
    groups = 2 if depthwise else 1
    x = np.zeros((1, 2, *size), np.float32)
    check(OneNode("Conv", {"x": x}, {"w": weights}, attributes={**attributes, "group": groups}))


@given(windows(), st.sampled_from(["MaxPool", "AveragePool"]), st.booleans(), st.booleans())
def test_pool(window: tuple[tuple[int, int], dict[str, Any]], op_type: str, ceil: bool, count: bool) -> None:
    size, attributes = window
    assume(fits(size, attributes))
    attributes = {**attributes, "ceil_mode": int(ceil)}
    if op_type == "AveragePool":
        attributes["count_include_pad"] = int(count)
    check(OneNode(op_type, {"x": np.zeros((1, 2, *size), np.float32)}, attributes=attributes, opset=22))


@given(sizes, small)
def test_a_window_that_does_not_fit_is_refused(size: tuple[int, int], excess: tuple[int, int]) -> None:
    kernel = [s + e for s, e in zip(size, excess, strict=True)]
    node = OneNode("Conv", {"x": np.zeros((1, 1, 64, 64), np.float32)}, {"w": np.ones((1, 1, *kernel), np.float32)})
    model = node.model()
    for info, extent in zip(model.graph.input[0].type.tensor_type.shape.dim[2:], size, strict=True):
        info.dim_value = extent
    del model.graph.output[0].type.tensor_type.shape.dim[:]
    with pytest.raises(UnsupportedOperatorsError, match="does not fit"):
        import_onnx(model)
