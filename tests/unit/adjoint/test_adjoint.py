"""The cotangent foresees what a small change of a tensor does to the output."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest

from quantune_mlir.adjoint.float_ops import number
from quantune_mlir.adjoint.sweep import Cotangents, NoAdjointError
from quantune_mlir.backend.compiler import compile_module
from quantune_mlir.backend.program import Program
from quantune_mlir.graph.units import find_units
from quantune_mlir.hardware.targets import load_target
from quantune_mlir.mlir.bindings import func, ir
from quantune_mlir.mlir.edit import copy_module
from quantune_mlir.mlir.function import entry_block, main_function
from quantune_mlir.model import Model
from quantune_mlir.passes.calibrate.lower_adjoints import LowerAdjoints
from quantune_mlir.pipeline.driver import run_pipeline
from tests.onnx_models import build_model

RNG = np.random.default_rng(3)
STEP = 1e-3
make = onnx.helper.make_node
Node = onnx.NodeProto


def draw(*shape: int) -> np.ndarray:
    return RNG.standard_normal(shape).astype(np.float32)


WEIGHTS = {
    "stem": draw(4, 3, 1, 1),
    "w": draw(6, 4, 3, 3),
    "w1": draw(5, 4, 1, 1),
    "wd": draw(8, 1, 3, 3),
    "wg": draw(4 * 7 * 9, 5),
    "half": np.full((1,), 0.5, np.float32),
    "wt": draw(4, 5, 3, 2),
    "scales": np.array([1, 1, 2, 2], np.float32),
    "times": np.array([1, 2, 1, 3], np.int64),
    "chosen": np.array([2, 0, 2], np.int64),
    "sequence": np.array([63, 1, 4], np.int64),
    "wl": 0.3 * draw(2, 20, 4),
    "rl": 0.3 * draw(2, 20, 5),
    "wu": 0.3 * draw(1, 15, 4),
    "ru": 0.3 * draw(1, 15, 5),
}

CASES: dict[str, list[Node]] = {
    "convolution": [make("Conv", ["h", "w"], ["y"], name="n", pads=[1, 1, 1, 1])],
    "strided convolution": [make("Conv", ["h", "w"], ["y"], name="n", pads=[1, 0, 0, 1], strides=[2, 3])],
    "dilated convolution": [make("Conv", ["h", "w"], ["y"], name="n", pads=[1, 2, 2, 1], dilations=[2, 2])],
    "strided product": [make("Conv", ["h", "w1"], ["y"], name="n", strides=[2, 2])],
    "strided dilated convolution": [
        make("Conv", ["h", "w"], ["y"], name="n", pads=[3, 2, 2, 1], strides=[2, 1], dilations=[2, 2])
    ],
    "depthwise": [make("Conv", ["h", "wd"], ["y"], name="n", group=4, strides=[2, 2], pads=[1, 1, 1, 1])],
    "average pooling": [make("AveragePool", ["h"], ["y"], name="n", kernel_shape=[3, 3], strides=[2, 2])],
    "padded average pooling": [
        make("AveragePool", ["h"], ["y"], name="n", kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])
    ],
    "maximum pooling": [make("MaxPool", ["h"], ["y"], name="n", kernel_shape=[3, 3], strides=[2, 2])],
    "maximum pooling of every pixel": [make("MaxPool", ["h"], ["y"], name="n", kernel_shape=[3, 3], pads=[1, 1, 1, 1])],
    "padded maximum pooling": [
        make("MaxPool", ["h"], ["y"], name="n", kernel_shape=[3, 2], strides=[2, 3], pads=[1, 1, 1, 1])
    ],
    "mean": [make("GlobalAveragePool", ["h"], ["y"], name="n")],
    "flattened product": [make("Flatten", ["h"], ["f"], name="m"), make("Gemm", ["f", "wg"], ["y"], name="n")],
    "relu": [make("Relu", ["h"], ["y"], name="n")],
    "function": [make("Sigmoid", ["h"], ["y"], name="n")],
    "residual": [make("Tanh", ["h"], ["t"], name="m"), make("Add", ["h", "t"], ["y"], name="n")],
    "difference": [make("Tanh", ["h"], ["t"], name="m"), make("Sub", ["t", "h"], ["y"], name="n")],
    "gate": [make("Tanh", ["h"], ["t"], name="m"), make("Mul", ["h", "t"], ["y"], name="n")],
    "gate by channel": [make("GlobalAveragePool", ["h"], ["t"], name="m"), make("Mul", ["h", "t"], ["y"], name="n")],
    "concatenation": [make("Tanh", ["h"], ["t"], name="m"), make("Concat", ["h", "t"], ["y"], name="n", axis=1)],
    "softmax": [make("Softmax", ["h"], ["y"], name="n", axis=1)],
    "quotient": [make("Exp", ["h"], ["t"], name="m"), make("Div", ["h", "t"], ["y"], name="n")],
    "larger of two": [make("Tanh", ["h"], ["t"], name="m"), make("Max", ["h", "t"], ["y"], name="n")],
    "transposed convolution": [make("ConvTranspose", ["h", "wt"], ["y"], name="n", strides=[2, 2], pads=[1, 0, 0, 1])],
    "nearest pixels": [make("Resize", ["h", "", "scales"], ["y"], name="n", mode="nearest")],
    "pixels between": [make("Resize", ["h", "", "scales"], ["y"], name="n", mode="linear")],
    "repetition": [make("Tile", ["h", "times"], ["y"], name="n")],
    "selection": [make("Gather", ["h", "chosen"], ["y"], name="n", axis=1)],
    "LSTM": [
        make("Reshape", ["h", "sequence"], ["s"], name="m"),
        make("LSTM", ["s", "wl", "rl"], ["y"], name="n", hidden_size=5, direction="bidirectional"),
    ],
    "last state of a GRU": [
        make("Reshape", ["h", "sequence"], ["s"], name="m"),
        make("GRU", ["s", "wu", "ru"], ["", "y"], name="n", hidden_size=5),
    ],
    "slices": [
        make("Split", ["h"], ["a", "b"], name="m", axis=1),
        make("Mul", ["a", "b"], ["y"], name="n"),
    ],
}


def network(path: Path, nodes: list[Node]) -> Model:
    """A product of one pixel each, whose result is perturbed, and what follows."""
    used = {name for node in nodes for name in node.input} | {"stem"}
    weights = {name: array for name, array in WEIGHTS.items() if name in used}
    nodes = [make("Conv", ["x", "stem"], ["h"], name="stem"), *nodes]
    onnx.save(build_model(nodes, {"x": np.zeros((1, 3, 7, 9), np.float32)}, weights, ["h", "y"]), path)
    return Model.load(path)


def with_cotangent(model: Model, seed: np.ndarray) -> ir.Module:
    """The results h and y, and the cotangent of h as the program holds it."""
    module = copy_module(model.module)
    function = main_function(module)
    block = entry_block(function)
    units = find_units(block)
    *_, terminator = (op.operation for op in block)
    (stem,) = (unit.output for unit in units if unit.layer == "stem" and unit.op.name == "tosa.conv2d")
    output = terminator.operands[1]
    with ir.InsertionPoint(terminator), terminator.location:
        cotangent = Cotangents(units, {output: number(seed)}, {}).of[stem]
        results = [stem, output, cotangent]
        func.ReturnOp(results)
        kind = ir.FunctionType(ir.TypeAttr(function.attributes["function_type"]).value)
        changed = ir.FunctionType.get(kind.inputs, [value.type for value in results])
        function.attributes["function_type"] = ir.TypeAttr.get(changed)
    if "res_attrs" in function.attributes:
        del function.attributes["res_attrs"]
    terminator.erase()
    run_pipeline(module, [LowerAdjoints()])
    return module


def assert_foreseen(model: Model, x: np.ndarray, change: np.ndarray) -> None:
    *_, terminator = (op.operation for op in entry_block(model.function))
    seed = draw(*ir.RankedTensorType(terminator.operands[1].type).shape)
    program = Program(compile_module(with_cotangent(model, seed), load_target("host")))
    before, after = program(x), program(x + change)
    changes = [(b.astype(np.float64) - a) for a, b in zip(before, after, strict=True)]
    foreseen = float((before[2] * changes[0]).sum())
    magnitude = float(np.linalg.norm(before[2]) * np.linalg.norm(changes[0]))
    assert foreseen == pytest.approx(float((seed * changes[1]).sum()), abs=0.02 * magnitude)


@pytest.mark.parametrize("case", CASES)
def test_a_small_change_is_foreseen(case: str, tmp_path: Path) -> None:
    assert_foreseen(network(tmp_path / "m.onnx", CASES[case]), draw(1, 3, 7, 9), STEP * draw(1, 3, 7, 9))


@pytest.mark.parametrize("case", [case for case in CASES if "maximum" in case])
def test_a_change_of_equal_maxima_counts_once(case: str, tmp_path: Path) -> None:
    """As in a flat part of an image, which changes as a whole."""
    image = np.ones((1, 3, 7, 9), np.float32)
    assert_foreseen(
        network(tmp_path / "m.onnx", CASES[case]), draw(1, 3, 1, 1) * image, STEP * draw(1, 3, 1, 1) * image
    )


def test_an_op_without_adjoint_is_refused(tmp_path: Path) -> None:
    model = network(tmp_path / "m.onnx", [make("Conv", ["h", "h"], ["y"], name="n")])
    *_, terminator = (op.operation for op in entry_block(model.function))
    shape = ir.RankedTensorType(terminator.operands[1].type).shape
    with pytest.raises(NoAdjointError):
        with_cotangent(model, np.ones(shape, np.float32))
