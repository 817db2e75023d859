"""Operators whose node tests leave attributes out, against ONNX Runtime."""

from __future__ import annotations

import numpy as np
import pytest

from quantune_mlir.errors import UnsupportedOperatorsError
from quantune_mlir.importers.onnx import import_onnx
from tests.onnx_models import OneNode, assert_like_onnxruntime

RNG = np.random.default_rng(9)


def normal(*shape: int) -> np.ndarray:
    return RNG.standard_normal(shape).astype(np.float32)


def ints(*values: int) -> np.ndarray:
    return np.array(values, np.int64)


def test_normalisations() -> None:
    x = 3 * normal(2, 6, 5, 3)
    assert_like_onnxruntime(
        {
            f"LRN over {size}, beta {beta}": OneNode(
                "LRN", {"x": x}, attributes={"size": size, "alpha": 0.5, "beta": beta, "bias": 1.5}
            )
            for size, beta in ((1, 0.75), (3, 0.5), (5, 0.75), (5, 0.6), (9, 1.0))
        }
        | {
            "Lp 1": OneNode("LpNormalization", {"x": x}, attributes={"p": 1, "axis": 1}),
            "Lp 2": OneNode("LpNormalization", {"x": x}),
            "global Lp pool": OneNode("GlobalLpPool", {"x": x}, attributes={"p": 1}),
        }
    )


def test_top_k() -> None:
    x = np.round(2 * normal(3, 9, 4))
    assert_like_onnxruntime(
        {
            "largest": OneNode("TopK", {"x": x}, {"k": ints(4)}, attributes={"axis": 1}, outputs=("v", "i")),
            "smallest": OneNode(
                "TopK", {"x": x}, {"k": ints(2)}, attributes={"axis": 0, "largest": 0}, outputs=("v", "i")
            ),
            "one": OneNode("TopK", {"x": x}, {"k": ints(1)}, outputs=("v", "i")),
        }
    )


@pytest.mark.parametrize("k", [0, 33])
def test_top_k_of_many_is_refused(k: int) -> None:
    with pytest.raises(UnsupportedOperatorsError, match=f"k = {k} of 50"):
        import_onnx(OneNode("TopK", {"x": normal(50)}, {"k": ints(k)}, outputs=("v", "i")).model())


def test_elements_by_index() -> None:
    x = normal(4, 5)
    indices = RNG.integers(-4, 4, (3, 5))
    pairs = np.array([[0, 1], [3, -1], [0, 1]], np.int64)
    assert_like_onnxruntime(
        {
            "gathered": OneNode("GatherElements", {"x": x}, {"i": indices}),
            "gathered at run time": OneNode("GatherElements", {"x": x, "i": indices}),
            "along the last": OneNode("GatherElements", {"x": x}, {"i": indices[:, :2]}, attributes={"axis": 1}),
            "tuples": OneNode("GatherND", {"x": x}, {"i": pairs}),
            "rows": OneNode("GatherND", {"x": x}, {"i": pairs[:, :1]}),
            "scattered": OneNode("ScatterND", {"x": x, "u": normal(2)}, {"i": pairs[:2]}, order=("x", "i", "u")),
            "added": OneNode(
                "ScatterND",
                {"x": x, "u": normal(3)},
                {"i": pairs},
                order=("x", "i", "u"),
                attributes={"reduction": "add"},
            ),
            "one hot": OneNode(
                "OneHot",
                {"i": ints(0, -1, 2), "v": np.array([2, 5], np.float32)},
                {"d": ints(4)},
                order=("i", "d", "v"),
            ),
        }
    )


def test_cumulative_sums() -> None:
    x = normal(3, 7)
    assert_like_onnxruntime(
        {
            f"{exclusive} {reverse}": OneNode(
                "CumSum", {"x": x}, {"axis": np.int64(1)}, attributes={"exclusive": exclusive, "reverse": reverse}
            )
            for exclusive in (0, 1)
            for reverse in (0, 1)
        }
    )


def test_remainders() -> None:
    x, y = RNG.integers(-40, 40, 200), RNG.choice([-7, -3, -1, 1, 2, 5, 9], 200)
    floats = [np.round(4 * t).astype(np.float32) / 4 for t in (x, y)]
    assert_like_onnxruntime(
        {
            "int32": OneNode("Mod", {"x": x.astype(np.int32), "z": y.astype(np.int32)}),
            "int32, as C": OneNode("Mod", {"x": x.astype(np.int32), "z": y.astype(np.int32)}, attributes={"fmod": 1}),
            "fp32": OneNode("Mod", {"x": floats[0], "z": floats[1]}, attributes={"fmod": 1}),
            "fp32, thirds": OneNode("Mod", {"x": floats[0] * 3, "z": floats[1] * 3}, attributes={"fmod": 1}),
        }
    )
