"""Operators whose node tests leave attributes out, against ONNX Runtime."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest

from quantune_mlir.errors import UnsupportedOperatorsError
from quantune_mlir.importers.onnx import import_onnx
from quantune_mlir.mlir.constants import constant_value
from quantune_mlir.mlir.function import entry_block, functions
from tests.onnx_models import OneNode, assert_like_onnxruntime, build_model
from tests.support import call, compile_module, load_program

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
        | {
            f"Lp pool, p {p}": OneNode(
                "LpPool", {"x": x}, attributes={"p": p, "kernel_shape": [3, 2], "strides": [2, 1], "pads": [1, 0, 1, 1]}
            )
            for p in (1, 2, 3)
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
            "many": OneNode(
                "TopK", {"x": normal(3, 50, 2)}, {"k": ints(40)}, attributes={"axis": 1}, outputs=("v", "i")
            ),
            "many smallest": OneNode(
                "TopK", {"x": normal(2, 70)}, {"k": ints(70)}, attributes={"largest": 0}, outputs=("v", "i")
            ),
            "one": OneNode("TopK", {"x": x}, {"k": ints(1)}, outputs=("v", "i")),
            "hardmax of all from an axis on": OneNode("Hardmax", {"x": x}, attributes={"axis": 1}, opset=11),
            "all there is": OneNode("TopK", {"x": ints(7)}, {"k": ints(1)}, outputs=("v", "i")),
        }
    )


def test_top_k_of_none_is_refused() -> None:
    with pytest.raises(UnsupportedOperatorsError, match="k = 0 of 50"):
        import_onnx(OneNode("TopK", {"x": normal(50)}, {"k": ints(0)}, outputs=("v", "i")).model())


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
            "tuples at run time": OneNode("GatherND", {"x": x, "i": pairs}),
            "rows at run time": OneNode("GatherND", {"x": x, "i": pairs[:, :1]}),
            "in batches": OneNode(
                "GatherND", {"x": normal(2, 3, 4, 5), "i": RNG.integers(-3, 3, (2, 6, 1))}, attributes={"batch_dims": 1}
            ),
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


def test_elements_by_computed_index() -> None:
    x, names = normal(3, 8), ints(7, 0, 0, 5, 2)[None]
    indices = np.array([[0, -1], [3, 2], [7, 1]], np.int64)
    order = ("x", "i", "u")
    assert_like_onnxruntime(
        {
            "scattered": OneNode(
                "ScatterElements", {"x": x, "u": normal(3, 2), "i": indices}, order=order, attributes={"axis": 1}
            ),
            "added": OneNode(
                "ScatterElements",
                {"x": x, "u": normal(3, 2), "i": indices * 0},
                order=order,
                attributes={"axis": -1, "reduction": "add"},
            ),
            "rows added": OneNode(
                "ScatterND",
                {"x": x, "u": normal(2, 8), "i": ints(1, -3)[:, None]},
                order=order,
                attributes={"reduction": "add"},
                opset=18,
            ),
            "reversed": OneNode(
                "ReverseSequence",
                {"x": normal(3, 2, 4), "n": ints(3, 2)},
                attributes={"time_axis": 0, "batch_axis": 1},
            ),
            "of constants in int64": OneNode(
                "GatherElements",
                {"i": names},
                {"d": ints(*range(3, 11))[None]},
                order=("d", "i"),
                attributes={"axis": 1},
            ),
            "largest int32": OneNode(
                "ArgMax", {"x": RNG.integers(-9, 9, (4, 6)).astype(np.int32)}, attributes={"axis": 1}
            ),
            "smallest int32": OneNode("ArgMin", {"x": RNG.integers(-9, 9, (4, 6)).astype(np.int32)}),
        }
    )


def test_gathering_from_one_row_of_constants() -> None:
    """As BERT's exporter writes the types of tokens: ONNX's reference implementation raises an error there."""
    nodes = [
        onnx.helper.make_node("GatherElements", ["d", "i"], ["g"], axis=1),
        onnx.helper.make_node("Cast", ["g"], ["c"], to=onnx.TensorProto.FLOAT),
        onnx.helper.make_node("Add", ["x", "c"], ["y"]),
    ]
    x = normal(1, 4)
    model = build_model(nodes, {"x": x}, {"d": ints(*range(9))[None], "i": ints(8, 1, 0, 3)[None]}, ["y"])
    program = load_program(compile_module(import_onnx(model)))
    np.testing.assert_array_equal(call(program, "main", (x,))[0], x + np.array([8, 1, 0, 3], np.float32))


def test_einsum() -> None:
    x, y, w = normal(2, 3, 4, 5), normal(2, 3, 5, 6), normal(5, 4, 7)
    equations = {
        "bhqk,bhkd->bqhd": (x, y),
        "...ij,...jk": (x, y),
        "bhqk,bhkd->hd": (x, y),
        "bhqk,b->kq": (x, normal(2)),
        "i,j->ij": (normal(3), normal(4)),
        "abcd,abcd->ab": (x, normal(2, 1, 4, 5)),
        "abcd->dc": (x,),
        "ij,jk,kl->il": (normal(2, 3), normal(3, 4), normal(4, 2)),
        "bii,bik->bk": (normal(2, 3, 3), normal(2, 3, 4)),
    }
    runs = {
        equation: OneNode(
            "Einsum", {f"x{i}": operand for i, operand in enumerate(operands)}, attributes={"equation": equation}
        )
        for equation, operands in equations.items()
    }
    kept = OneNode("Einsum", {"x": x}, {"w": w}, attributes={"equation": "bhqk,kqo->bho"})
    first = OneNode("Einsum", {"x": x}, {"w": w}, order=("w", "x"), attributes={"equation": "kqo,bhqk->hbo"})
    assert_like_onnxruntime({**runs, "constant": kept, "constant first": first})


def test_volumes() -> None:
    x = normal(2, 4, 5, 7, 6)
    window: dict[str, Any] = {"kernel_shape": [3, 2, 3], "strides": [2, 1, 2], "pads": [1, 0, 1, 0, 1, 1]}
    cases: dict[str, tuple[int, int, dict[str, Any]]] = {
        "strides": (4, 1, window),
        "groups": (6, 2, window),
        "depthwise": (8, 4, window),
    }
    cases["dilations"] = (3, 1, {"dilations": [2, 1, 2], "pads": [2, 1, 1, 0, 1, 1]})
    cases["padded alike"] = (3, 1, {"strides": [2, 2, 1], "auto_pad": "SAME_UPPER"})
    convolutions = {
        name: OneNode(
            "Conv",
            {"x": x},
            {"w": normal(outputs, 4 // groups, *attributes.get("kernel_shape", [2, 3, 2])), "b": normal(outputs)},
            attributes={"group": groups, **attributes},
        )
        for name, (outputs, groups, attributes) in cases.items()
    }
    transposed = {
        f"{depth} taps, stride {stride}": OneNode(
            "ConvTranspose",
            {"x": x},
            {"w": normal(4, 3, depth, 2, 3), "b": normal(6)},
            attributes={"strides": [stride, 2, 1], "pads": [pad, 0, 1, 0, 1, 1], "output_padding": [more, 1, 0]}
            | {"group": 2},
        )
        for depth, stride, pad, more in ((2, 2, 0, 0), (5, 2, 1, 1), (1, 3, 0, 2))
    }
    pools = {op: OneNode(op, {"x": x}, attributes=window) for op in ("MaxPool", "AveragePool")}
    counted = OneNode("AveragePool", {"x": x}, attributes={**window, "count_include_pad": 1, "ceil_mode": 1})
    whole = {op: OneNode(op, {"x": x}) for op in ("GlobalMaxPool", "GlobalAveragePool")}
    assert_like_onnxruntime({**convolutions, **transposed, **pools, "counted": counted, **whole})


def test_fourier_transforms() -> None:
    real, pairs = normal(2, 6, 40, 1), normal(2, 6, 5, 2)
    runs = {
        "real": OneNode("DFT", {"x": real}, attributes={"axis": 1, "onesided": 1}),
        "longer": OneNode("DFT", {"x": pairs}, {"length": ints(9).reshape(())}, attributes={"axis": 1}),
        "shorter": OneNode("DFT", {"x": pairs}, {"n": ints(4).reshape(()), "axis": ints(1).reshape(())}, opset=20),
        "inverse": OneNode("DFT", {"x": pairs}, order=("x",), attributes={"inverse": 1}, opset=20),
        "frames": OneNode(
            "STFT", {"x": real[0]}, {"step": ints(5).reshape(()), "window": np.hamming(8).astype(np.float32)}
        ),
        "frames of pairs": OneNode(
            "STFT",
            {"x": pairs.reshape(2, 30, 2)},
            {"step": ints(7).reshape(()), "length": ints(10).reshape(())},
            order=("x", "step", "", "length"),
            attributes={"onesided": 0},
        ),
    }
    assert_like_onnxruntime(runs)


@pytest.mark.parametrize("largest", [0, 1])
def test_top_k_writes_no_infinities(largest: int) -> None:
    """Which could not be calibrated."""
    case = OneNode("TopK", {"x": normal(9)}, {"k": ints(3)}, attributes={"largest": largest}, outputs=("v", "i"))
    module = import_onnx(case.model())
    (main,) = functions(module)
    arrays = [constant_value(op.results[0]) for op in entry_block(main).operations if len(op.results)]
    assert all(np.isfinite(array).all() for array in arrays if array is not None and array.dtype.kind == "f")


def test_affine_grid() -> None:
    runs: dict[str, OneNode] = {}
    for size in ([1, 3, 4, 5], [2, 1, 6, 1], [2, 1, 3, 2, 4]):
        theta = normal(size[0], len(size) - 2, len(size) - 1)
        for aligned in (0, 1):
            given = {"x": theta}, {"s": ints(*size)}
            attributes = {"align_corners": aligned}
            runs[f"{size} {aligned}"] = OneNode("AffineGrid", *given, attributes=attributes, opset=20)
    del runs["[2, 1, 6, 1] 1"]  # where ONNX divides by zero
    assert_like_onnxruntime(runs)


def test_grid_sample() -> None:
    x, grid = normal(2, 3, 5, 6), RNG.uniform(-1.4, 1.4, (2, 4, 3, 2)).astype(np.float32)
    assert_like_onnxruntime(
        {
            f"{mode} {padding} {aligned}": OneNode(
                "GridSample",
                {"x": x, "g": grid},
                attributes={"mode": mode, "padding_mode": padding, "align_corners": aligned},
                opset=20,
            )
            for mode in ("linear", "nearest", "cubic")
            for padding in ("zeros", "border", "reflection")
            for aligned in (0, 1)
        }
    )


def test_deformable_convolution() -> None:
    x = normal(2, 4, 6, 7)
    cases: dict[str, tuple[int, int, bool, dict[str, Any]]] = {
        "plain": (1, 1, False, {"pads": [1, 1, 1, 1]}),
        "strides and a mask": (1, 1, True, {"strides": [2, 1], "pads": [0, 1, 1, 0]}),
        "groups": (2, 2, True, {"dilations": [2, 1], "pads": [2, 1, 2, 1]}),
    }
    runs: dict[str, OneNode] = {}
    for name, (groups, offset_groups, masked, window) in cases.items():
        stride, dilation, pads = (window.get(n, [1] * 2) for n in ("strides", "dilations", "pads"))
        size = [(x.shape[2 + i] + pads[i] + pads[2 + i] - 2 * dilation[i] - 1) // stride[i] + 1 for i in (0, 1)]
        inputs = {"x": x, "o": 2 * normal(2, offset_groups * 18, *size)}
        inputs |= {"m": normal(2, offset_groups * 9, *size)} if masked else {}
        runs[name] = OneNode(
            "DeformConv",
            inputs,
            {"w": normal(6, 4 // groups, 3, 3), "b": normal(6)},
            order=("x", "w", "o", "b", *(["m"] if masked else [])),
            attributes={"group": groups, "offset_group": offset_groups, **window},
            opset=19,
        )
    assert_like_onnxruntime(runs)


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
