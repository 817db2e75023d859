"""Resize in all its modes against ONNX Runtime, and the choice of tosa.resize."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest

from quantune_mlir.importers.onnx import import_onnx
from quantune_mlir.importers.onnx.ops.sampling import AxisSampling, tosa_scale
from tests.onnx_models import OneNode, assert_like_onnxruntime, build_model, reference
from tests.support import run_module

X = np.random.default_rng(3).standard_normal((1, 2, 6, 7)).astype(np.float32)


def by_scales(*scales: float, opset: int = 13, **attributes: Any) -> OneNode:
    constants = {"scales": np.array([1, 1, *scales], np.float32)}
    order = ("x", "scales") if opset == 10 else ("x", "", "scales")
    if opset == 11:
        constants["roi"], order = np.zeros(0, np.float32), ("x", "roi", "scales")
    return OneNode("Resize", {"x": X}, constants, order=order, attributes=attributes, opset=opset)


def by_sizes(*sizes: int, opset: int = 13, **attributes: Any) -> OneNode:
    constants = {"sizes": np.array([1, 2, *sizes], np.int64)}
    return OneNode("Resize", {"x": X}, constants, order=("x", "", "", "sizes"), attributes=attributes, opset=opset)


def test_older_opsets() -> None:
    scales = [1.0, 1.0, 2.0, 3.0]
    assert_like_onnxruntime(
        {
            "Upsample 7": OneNode("Upsample", {"x": X}, attributes={"scales": scales, "mode": "nearest"}, opset=7),
            "Upsample 9": OneNode("Upsample", {"x": X}, {"s": np.array(scales, np.float32)}, opset=9),
            "Upsample 9 linear": OneNode(
                "Upsample", {"x": X}, {"s": np.array(scales, np.float32)}, attributes={"mode": "linear"}, opset=9
            ),
            "10 nearest": by_scales(2.0, 0.5, opset=10),
            "10 linear": by_scales(2.0, 1.5, opset=10, mode="linear"),
            "11 nearest": by_scales(2.0, 2.0, opset=11),
        }
    )


def test_nearest() -> None:
    assert_like_onnxruntime(
        {
            f"{rounding} {transformation} {sizes}": by_sizes(
                *sizes, mode="nearest", nearest_mode=rounding, coordinate_transformation_mode=transformation
            )
            for rounding in ("round_prefer_floor", "round_prefer_ceil", "floor", "ceil")
            for transformation in ("half_pixel", "asymmetric", "align_corners", "pytorch_half_pixel")
            for sizes in ((12, 14), (3, 21), (5, 4), (1, 7))
        }
        | {
            f"half way to float32 {transformation}": by_scales(
                1.5, 0.7, mode="nearest", coordinate_transformation_mode=transformation
            )
            for transformation in ("half_pixel", "pytorch_half_pixel", "tf_half_pixel_for_nn")
        }
    )


def test_linear() -> None:
    assert_like_onnxruntime(
        {
            f"{transformation} {sizes}": by_sizes(*sizes, mode="linear", coordinate_transformation_mode=transformation)
            for transformation in ("half_pixel", "asymmetric", "align_corners", "pytorch_half_pixel")
            for sizes in ((12, 14), (3, 21), (5, 4), (11, 13))
        }
        | {
            f"scales that round the size, {transformation}": by_scales(
                1.3, 0.7, mode="linear", coordinate_transformation_mode=transformation
            )
            for transformation in ("asymmetric", "align_corners")
        }
    )


def test_cubic() -> None:
    assert_like_onnxruntime(
        {f"{sizes}": by_sizes(*sizes, mode="cubic", cubic_coeff_a=-0.5) for sizes in ((12, 14), (4, 21))}
    )


def test_constants_are_resized_at_import() -> None:
    """As vision transformers do with their positions."""
    case = by_scales(2.0, 2.0, mode="cubic").model()
    resized = onnx.helper.make_node("Resize", ["w", "", "scales"], ["r"], mode="cubic")
    nodes = [resized, onnx.helper.make_node("Add", ["r", "x"], ["y"])]
    constants = {"w": X, "scales": np.array([1, 1, 2, 2], np.float32)}
    zeros = np.zeros((1, 2, 12, 14), np.float32)
    module = import_onnx(build_model(nodes, {"x": zeros}, constants, ["y"]))
    assert "conv2d" not in str(module)
    np.testing.assert_allclose(run_module(module, zeros)[0], reference(case, {"x": X})[0], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("case", "used"),
    [
        (by_scales(2.0, 2.0, nearest_mode="floor", coordinate_transformation_mode="asymmetric"), True),
        (by_scales(2.0, 2.0, mode="linear"), True),
        (by_scales(2.0, 4.0, mode="linear", coordinate_transformation_mode="align_corners"), True),
        (by_scales(2.0, 2.0, mode="cubic"), False),
        (by_scales(0.5, 0.5, mode="linear", antialias=1, opset=19), False),
    ],
)
def test_tosa_resize_is_used_where_it_says_the_same(case: OneNode, used: bool) -> None:
    assert ("tosa.resize" in str(import_onnx(case.model()))) == used


def test_tosa_scale_of_a_doubled_axis() -> None:
    scale = tosa_scale(AxisSampling(6, 12, 2.0, "half_pixel"), None)
    assert scale is not None
    assert scale.denominator / scale.numerator == 0.5
    assert scale.offset / scale.numerator == -0.25
    assert ((6 - 1) * scale.numerator - scale.offset + scale.border) % scale.denominator == 0


def test_tosa_scale_refuses_what_tosa_cannot_express() -> None:
    assert tosa_scale(AxisSampling(1000, 10, 0.01, "half_pixel"), None) is None  # denominator >= 16 * numerator
    assert tosa_scale(AxisSampling(6, 6, 0.9173, "asymmetric"), None) is None
