"""Whole networks under plans of several kinds: the mixed program computes what the plan says, with few boundaries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import onnx
import pytest

from quantune_mlir.integer.integer_options import IntegerOptions
from quantune_mlir.mlir.bindings import ir, make_context
from quantune_mlir.mlir.constants import is_float
from quantune_mlir.mlir.edit import copy_module
from quantune_mlir.mlir.function import entry_block, main_function
from quantune_mlir.passes.calibrate.insert_observers import InsertObservers
from quantune_mlir.passes.calibrate.lower_observers import MEASURED, OBSERVED, LowerObservers
from quantune_mlir.passes.calibrate.shadow_int8 import ShadowInt8
from quantune_mlir.pipeline.driver import run_pipeline
from tests.onnx_models import build_model, combine, reference
from tests.support import call, compile_module, load_program
from tests.unit.integer.networks import CalibratedNetwork

RNG = np.random.default_rng(11)
INTEGER = IntegerOptions(requantize="integer")


def draw(*shape: int) -> np.ndarray:
    return RNG.standard_normal(shape).astype(np.float32)


def node(op_type: str, inputs: str, outputs: str, **attributes) -> onnx.NodeProto:
    """A node called after its first output."""
    return onnx.helper.make_node(op_type, inputs.split(), outputs.split(), name=outputs.split()[0], **attributes)


def conv(source: str, name: str, weights: str, **attributes) -> onnx.NodeProto:
    return node("Conv", f"{source} {weights}", name, **attributes)


X = {"x": draw(1, 4, 6, 6)}
W = {"w": draw(4, 4, 1, 1), "v": draw(4, 4, 3, 3)}


@dataclass(frozen=True)
class Net:
    """A network, the layers that a plan pins to fp32, and how many tensors change precision each way."""

    nodes: Sequence[onnx.NodeProto]
    outputs: Sequence[str]
    quantized: int
    dequantized: int
    fp32: Sequence[str] = ()
    inputs: Mapping[str, np.ndarray] = field(default_factory=lambda: X)
    constants: Mapping[str, np.ndarray] = field(default_factory=lambda: W)


RESIDUAL = [
    conv("x", "a", "v", pads=[1, 1, 1, 1]),
    node("Relu", "a", "b"),
    conv("b", "c", "w"),
    node("Add", "c b", "d"),
    node("Relu", "d", "e"),
]
SPLIT = [
    conv("x", "a", "w"),
    onnx.helper.make_node("Split", ["a", "sizes"], ["p", "q", "r"], name="split", axis=1),
    node("Mul", "p q", "m"),
    node("Concat", "r m p", "n", axis=1),
    conv("n", "o", "u"),
]
NETS = {
    "residual block": Net(RESIDUAL, ["e"], 1, 1),
    "convolution in fp32 between int8": Net(RESIDUAL, ["e"], 2, 2, fp32=["c"]),
    "sum in fp32": Net(RESIDUAL, ["e"], 1, 2, fp32=["d"]),
    "all in fp32": Net(RESIDUAL, ["e"], 0, 0, fp32=["a", "c", "d"]),
    "several outputs, one read as well": Net(RESIDUAL, ["b", "e", "c"], 1, 3),
    "output of an int8 layer that int8 and fp32 read": Net(
        [conv("x", "a", "w"), conv("a", "b", "w"), node("Softmax", "a", "s", axis=1)], ["b", "s", "a"], 1, 2
    ),
    "input read twice": Net([conv("x", "a", "w"), conv("x", "b", "w"), node("Add", "a b", "c")], ["c"], 1, 1),
    "input read in int8 and in fp32": Net([conv("x", "a", "w"), node("Softmax", "x", "s")], ["a", "s"], 1, 1),
    "input returned": Net([node("Identity", "x", "y"), conv("x", "a", "w")], ["y", "a"], 1, 1),
    "constant returned": Net([node("Identity", "w", "y"), conv("x", "a", "w")], ["y", "a"], 1, 1),
    "grouped convolution": Net(
        [conv("x", "a", "g", group=2), node("Relu", "a", "b"), conv("b", "c", "w")],
        ["c"],
        1,
        1,
        constants={**W, "g": draw(4, 2, 3, 3)},
    ),
    "grouped convolution as output": Net(
        [conv("x", "a", "g", group=2)], ["a"], 1, 1, constants={"g": draw(4, 2, 3, 3)}
    ),
    "split in several": Net(SPLIT, ["o"], 1, 1, constants={**W, "sizes": np.array([1, 1, 2]), "u": draw(2, 4, 1, 1)}),
    "split in several, product in fp32": Net(
        SPLIT, ["o", "r"], 2, 4, fp32=["m"], constants={**W, "sizes": np.array([1, 1, 2]), "u": draw(2, 4, 1, 1)}
    ),
    "pool before an fp32 output": Net(
        [conv("x", "a", "w"), node("MaxPool", "a", "b", kernel_shape=[2, 2])], ["b"], 1, 1
    ),
    "classifier": Net(
        [conv("x", "a", "w"), node("GlobalAveragePool", "a", "g"), node("Flatten", "g", "f"), node("Gemm", "f k", "l")],
        ["l"],
        1,
        1,
        constants={**W, "k": draw(4, 10)},
    ),
    "perceptron": Net(
        [node("Gemm", "i k", "a"), node("Relu", "a", "b"), node("Gemm", "b l", "c"), node("Relu", "c", "d")],
        ["d"],
        1,
        1,
        inputs={"i": draw(2, 9)},
        constants={"k": draw(9, 8), "l": draw(8, 5)},
    ),
    "run-time indices": Net(
        [conv("x", "a", "w"), node("Gather", "a i", "b", axis=2), conv("b", "c", "w")],
        ["c"],
        2,
        2,
        inputs={**X, "i": np.array([3, 0, 5], np.int64)},
    ),
    "mask": Net(
        [conv("x", "a", "w"), node("Where", "m a x", "b"), conv("b", "c", "w")],
        ["c"],
        2,
        2,
        inputs={**X, "m": RNG.random((1, 1, 6, 6)) > 0.5},
    ),
    "no layer to quantize": Net(
        [node("Softmax", "x", "s"), node("Transpose", "s", "t", perm=[0, 2, 1, 3])], ["t"], 0, 0
    ),
    "nothing but an argument": Net([node("Identity", "x", "y")], ["y"], 0, 0),
    "a convolution alone": Net([conv("x", "a", "w")], ["a"], 1, 1),
    "a relu alone": Net([node("Relu", "x", "a")], ["a"], 1, 1),
    "a sigmoid alone": Net([node("Sigmoid", "x", "a")], ["a"], 1, 1),
    "a reshape alone": Net([node("Flatten", "x", "a")], ["a"], 0, 0),
}


@pytest.fixture(scope="module")
def programs():
    """Every network with its mixed module and what IREE returns."""
    context = make_context()
    networks = {
        name: CalibratedNetwork(
            build_model(net.nodes, net.inputs, net.constants, net.outputs), net.inputs, INTEGER, context
        )
        for name, net in NETS.items()
    }
    modules = {name: network.quantized(network.in_int8(NETS[name].fp32)) for name, network in networks.items()}
    program = load_program(compile_module(combine(list(modules.values()), context)))
    results = {name: call(program, f"f{i}", tuple(NETS[name].inputs.values())) for i, name in enumerate(networks)}
    return {name: (networks[name], modules[name], results[name]) for name in NETS}


@pytest.mark.parametrize("name", NETS)
def test_the_program_computes_what_the_plan_says(programs, name) -> None:
    network, _, results = programs[name]
    mixed = network.reference(network.in_int8(NETS[name].fp32))
    for value, actual in zip(network.results, results, strict=True):
        if value not in mixed.fp32 and value not in mixed.int8:
            continue
        expected = mixed.as_fp32(value)
        # fp32 layers sum in another order; where a value then stands next to a rounding boundary, int8 differs by one.
        step = max(params.scale for params in network.params.values()) if NETS[name].fp32 else 0.0
        np.testing.assert_allclose(actual, expected, rtol=1e-5, atol=1e-5 + 2 * step)
        assert np.mean(np.abs(actual - expected) > 1e-5 + 1e-5 * np.abs(expected)) < 0.01


@pytest.mark.parametrize("name", NETS)
def test_it_stays_close_to_onnxruntime(programs, name) -> None:
    network, _, results = programs[name]
    ranges = network.params.items()
    limits = {v.arg_number: params for v, params in ranges if isinstance(v, ir.BlockArgument)}
    inputs = {
        n: np.clip(a, limits[i].lo, limits[i].hi) if i in limits else a
        for i, (n, a) in enumerate(network.inputs.items())
    }
    for value, actual, expected in zip(network.results, results, reference(network.model, inputs), strict=True):
        assert actual.shape == expected.shape
        if name in ("input returned", "nothing but an argument") and isinstance(value, ir.BlockArgument):
            np.testing.assert_array_equal(actual, network.inputs["x"])
            continue
        noise = np.sum((actual - expected) ** 2)
        assert noise == 0 or 10 * np.log10(np.sum(expected**2) / noise) > 15


@pytest.mark.parametrize("name", NETS)
def test_precision_changes_no_more_often_than_it_must(programs, name) -> None:
    _, module, _ = programs[name]
    casts = [op.operation for op in entry_block(main_function(module)) if op.operation.name == "tosa.cast"]
    casts = [op for op in casts if is_float(op.operands[0]) != is_float(op.results[0])]
    quantized = [op.operands[0] for op in casts if is_float(op.operands[0])]
    dequantized = [op.operands[0] for op in casts if is_float(op.results[0])]
    assert len(set(dequantized)) == len(dequantized)
    assert (len(quantized), len(dequantized)) == (NETS[name].quantized, NETS[name].dequantized)


@pytest.mark.parametrize("name", NETS)
def test_observers_and_shadow_take_it(programs, name) -> None:
    """The driver verifies the module after each pass."""
    network, _, _ = programs[name]
    for passes in ([InsertObservers(), LowerObservers()], [ShadowInt8(), LowerObservers()]):
        module = copy_module(network.module)
        run_pipeline(module, passes)
        assert {OBSERVED, MEASURED} <= {str(name) for name in module.operation.attributes}
