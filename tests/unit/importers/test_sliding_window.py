"""Convolutions and pools of every geometry against ONNX Runtime."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.onnx_models import OneNode, assert_like_onnxruntime

pytestmark = pytest.mark.slow

RNG = np.random.default_rng(11)


def normal(*shape: int) -> np.ndarray:
    return RNG.standard_normal(shape).astype(np.float32)


def conv(
    x: tuple[int, ...], w: tuple[int, ...], *, bias: bool = True, op_type: str = "Conv", **attributes: Any
) -> OneNode:
    outputs = w[0] if op_type == "Conv" else w[1] * attributes.get("group", 1)
    constants = {"w": normal(*w)} | ({"b": normal(outputs)} if bias else {})
    return OneNode(op_type, {"x": normal(*x)}, constants, attributes=attributes)


def test_convolutions() -> None:
    assert_like_onnxruntime(
        {
            "plain": conv((1, 3, 7, 9), (4, 3, 3, 3)),
            "without bias": conv((1, 3, 7, 9), (4, 3, 3, 3), bias=False),
            "batch": conv((3, 2, 5, 5), (4, 2, 1, 1)),
            "asymmetric padding": conv((1, 3, 7, 9), (4, 3, 3, 2), pads=[2, 0, 1, 3]),
            "stride that leaves a rest": conv((1, 3, 8, 10), (4, 3, 3, 3), strides=[2, 3]),
            "stride, rest in the padding": conv((1, 3, 8, 10), (4, 3, 3, 3), strides=[2, 3], pads=[1, 1, 1, 1]),
            "1x1 with stride": conv((1, 3, 8, 9), (4, 3, 1, 1), strides=[2, 2]),
            "dilation": conv((1, 3, 9, 9), (4, 3, 3, 3), dilations=[2, 3], pads=[2, 3, 2, 3]),
            "same upper": conv((1, 3, 8, 7), (4, 3, 4, 3), auto_pad="SAME_UPPER", strides=[2, 2]),
            "same lower": conv((1, 3, 8, 7), (4, 3, 4, 3), auto_pad="SAME_LOWER", strides=[2, 2]),
            "valid": conv((1, 3, 8, 7), (4, 3, 4, 3), auto_pad="VALID", strides=[3, 2]),
            "groups": conv((1, 6, 5, 5), (4, 3, 3, 3), group=2, pads=[1, 1, 1, 1]),
            "depthwise": conv((1, 6, 5, 6), (6, 1, 3, 3), group=6, pads=[1, 1, 1, 1], strides=[2, 2]),
            "depthwise multiplier": conv((2, 3, 5, 5), (9, 1, 3, 3), group=3),
            "depthwise dilation": conv((1, 4, 9, 9), (4, 1, 3, 3), group=4, dilations=[2, 2]),
            "1-D": conv((1, 3, 11), (4, 3, 3), pads=[1, 0], strides=[2]),
            "1-D depthwise": conv((1, 4, 11), (4, 1, 5), group=4, dilations=[2]),
            "weights at run time": OneNode("Conv", {"x": normal(1, 2, 5, 5), "w": normal(3, 2, 3, 3), "b": normal(3)}),
        }
    )


def test_transposed_convolutions() -> None:
    def transposed(x: tuple[int, ...], w: tuple[int, ...], **attributes: Any) -> OneNode:
        return conv(x, w, op_type="ConvTranspose", **attributes)

    assert_like_onnxruntime(
        {
            "plain": transposed((1, 3, 4, 5), (3, 2, 3, 3)),
            "stride": transposed((1, 3, 4, 5), (3, 2, 2, 2), strides=[2, 2]),
            "stride beyond the kernel": transposed((1, 3, 4, 5), (3, 2, 2, 2), strides=[3, 4]),
            "padding": transposed((1, 3, 4, 5), (3, 2, 4, 4), strides=[2, 2], pads=[1, 1, 1, 1]),
            "asymmetric padding": transposed((1, 3, 4, 5), (3, 2, 4, 4), strides=[2, 2], pads=[0, 1, 2, 3]),
            "padding beyond the kernel": transposed((1, 3, 6, 6), (3, 2, 2, 2), strides=[2, 2], pads=[3, 2, 2, 4]),
            "output padding": transposed(
                (1, 3, 4, 5), (3, 2, 3, 3), strides=[2, 2], pads=[1] * 4, output_padding=[1, 1]
            ),
            "output shape": transposed((1, 3, 4, 5), (3, 2, 3, 3), strides=[2, 2], output_shape=[10, 8]),
            "same upper": transposed((1, 3, 4, 5), (3, 2, 3, 3), strides=[2, 2], auto_pad="SAME_UPPER"),
            "same lower": transposed((1, 3, 4, 5), (3, 2, 3, 3), strides=[2, 2], auto_pad="SAME_LOWER"),
            "dilation": transposed((1, 3, 4, 5), (3, 2, 3, 3), dilations=[2, 3]),
            "groups": transposed((1, 4, 4, 5), (4, 3, 3, 3), group=2, strides=[2, 2]),
            "1-D": transposed((1, 3, 7), (3, 2, 4), strides=[2], pads=[1, 1]),
        }
    )


@pytest.mark.parametrize("op_type", ["MaxPool", "AveragePool"])
def test_pools(op_type: str) -> None:
    def pool(x: tuple[int, ...], kernel: list[int], opset: int = 19, **attributes: Any) -> OneNode:
        return OneNode(op_type, {"x": normal(*x)}, attributes={"kernel_shape": kernel, **attributes}, opset=opset)

    cases = {
        "plain": pool((1, 3, 7, 8), [2, 3]),
        "stride that leaves a rest": pool((2, 3, 8, 8), [3, 3], strides=[2, 2]),
        "padding": pool((1, 3, 7, 8), [3, 3], pads=[1, 0, 2, 1], strides=[2, 2]),
        "ceil": pool((1, 3, 8, 8), [3, 3], strides=[2, 2], ceil_mode=1),
        "ceil and padding": pool((1, 3, 8, 7), [3, 3], strides=[2, 2], pads=[1, 1, 1, 1], ceil_mode=1),
        "ceil, window in the padding dropped": pool(
            (1, 1, 5, 5), [2, 2], strides=[3, 3], pads=[1, 1, 1, 1], ceil_mode=1
        ),
        "same upper": pool((1, 3, 8, 7), [2, 4], strides=[2, 2], auto_pad="SAME_UPPER"),
        "same lower": pool((1, 3, 8, 7), [2, 4], strides=[2, 2], auto_pad="SAME_LOWER"),
        "1-D": pool((1, 3, 9), [3], strides=[2], pads=[1, 1]),
        "dilation": pool((1, 3, 9, 9), [2, 3], dilations=[3, 2], strides=[1, 2], pads=[1, 1, 1, 1]),
        "opset 7": pool((1, 3, 7, 8), [3, 3], pads=[1, 1, 1, 1], opset=7),
    }
    if op_type == "AveragePool":
        cases |= {
            f"padding counts, {name}": OneNode(
                op_type, case.inputs, attributes={**case.attributes, "count_include_pad": 1}, opset=case.opset
            )
            for name, case in cases.items()
        }
    assert_like_onnxruntime(cases)


def test_pools_of_integers() -> None:
    attributes = {"kernel_shape": [2, 2], "strides": [2, 2], "pads": [1, 1, 0, 0]}
    assert_like_onnxruntime(
        {
            "int8": OneNode("MaxPool", {"x": RNG.integers(-128, 127, (1, 3, 5, 5), np.int8)}, attributes=attributes),
            "uint8": OneNode("MaxPool", {"x": RNG.integers(0, 255, (1, 3, 5, 5), np.uint8)}, attributes=attributes),
        }
    )


def test_global_pools() -> None:
    assert_like_onnxruntime(
        {
            f"{op_type} {len(shape)}": OneNode(op_type, {"x": normal(*shape)})
            for op_type in ("GlobalAveragePool", "GlobalMaxPool")
            for shape in ((2, 5, 7, 6), (1, 4, 9), (1, 3, 1, 1))
        }
    )
