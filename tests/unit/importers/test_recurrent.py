"""LSTM, GRU and RNN against ONNX Runtime: directions, states, lengths, attributes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from quantune_mlir.graph.units import Kind, find_units
from quantune_mlir.importers.onnx import import_onnx
from quantune_mlir.mlir.function import entry_block, main_function
from quantune_mlir.model import Model
from tests.onnx_models import OneNode, assert_like_onnxruntime

pytestmark = pytest.mark.slow

RNG = np.random.default_rng(8)
GATES = {"LSTM": 4, "GRU": 3, "RNN": 1}
STEPS, BATCH, INPUTS, HIDDEN = 3, 3, 4, 5


def values(*shape: int) -> np.ndarray:
    return RNG.uniform(-0.8, 0.8, shape).astype(np.float32)


def case(
    op_type: str,
    directions: int = 1,
    *,
    bias: bool = True,
    lengths: list[int] | None = None,
    state: bool = False,
    constant_state: bool = False,
    peepholes: bool = False,
    **attributes: Any,
) -> OneNode:
    """A node with the inputs that are asked for."""
    gates = GATES[op_type] * HIDDEN
    outputs = ("y", "h", "c") if op_type == "LSTM" else ("y", "h")
    constants = {"W": values(directions, gates, INPUTS), "R": values(directions, gates, HIDDEN)}
    inputs = {"x": values(STEPS, BATCH, INPUTS)}
    states = {f"{name}0": values(directions, BATCH, HIDDEN) for name in outputs[1:]} if state or constant_state else {}
    (constants if constant_state else inputs).update(states)
    if bias:
        constants["B"] = values(directions, 2 * gates)
    if lengths is not None:
        constants["lengths"] = np.array(lengths, np.int32)
    if peepholes:
        constants["P"] = values(directions, 3 * HIDDEN)
    order = ["x", "W", "R", *("B" if bias else ("",)), "" if lengths is None else "lengths"]
    order += [*(states or ("", "")[: len(outputs) - 1]), *(("P",) if peepholes else ())]
    name = {1: attributes.pop("direction", "forward"), 2: "bidirectional"}[directions]
    return OneNode(
        op_type,
        inputs,
        constants,
        order,
        {"hidden_size": HIDDEN, "direction": name, **attributes},
        outputs,
        opset=14,
    )


@pytest.mark.parametrize("op_type", GATES)
def test_directions_states_and_lengths(op_type: str) -> None:
    assert_like_onnxruntime(
        {
            "forward": case(op_type),
            "no bias": case(op_type, bias=False),
            "reverse": case(op_type, direction="reverse"),
            "bidirectional": case(op_type, 2, state=True),
            "initial states": case(op_type, state=True),
            "constant states": case(op_type, constant_state=True),
            "lengths": case(op_type, 2, lengths=[3, 1, 2]),
            "none so long": case(op_type, 2, lengths=[2, 1, 1], state=True),
            "clip": case(op_type, 2, clip=0.3),
        }
    )


def test_attributes_of_one_kind() -> None:
    assert_like_onnxruntime(
        {
            "GRU, reset behind the product": case("GRU", linear_before_reset=1),
            "GRU, all of it": case("GRU", 2, linear_before_reset=1, lengths=[1, 2, 3], state=True, clip=0.5),
            "LSTM, peepholes": case("LSTM", peepholes=True),
            "LSTM, peepholes and states": case("LSTM", 2, peepholes=True, state=True, lengths=[1, 2, 3]),
            "LSTM, coupled gates": case("LSTM", state=True, input_forget=1),
        }
    )


def test_activations() -> None:
    taken: dict[str, dict[str, float]] = {
        "Affine": {"alpha": 1.5, "beta": 0.25},
        "Elu": {"alpha": 0.7},
        "HardSigmoid": {"alpha": 0.3, "beta": 0.4},
        "LeakyRelu": {"alpha": 0.2},
        "Relu": {},
        "ScaledTanh": {"alpha": 0.8, "beta": 1.2},
        "Sigmoid": {},
        "Softplus": {},
        "Softsign": {},
        "Tanh": {},
        "ThresholdedRelu": {"alpha": 0.1},
    }
    cases = {
        name: case("RNN", activations=[name], **{f"activation_{kind}": [v] for kind, v in numbers.items()})
        for name, numbers in taken.items()
    }
    mixed = {
        "activations": ["HardSigmoid", "Softsign", "LeakyRelu", "Sigmoid", "Tanh", "Elu"],
        "activation_alpha": [0.3, 0.2, 0.9],
        "activation_beta": [0.4],
    }
    cases["LSTM"] = case("LSTM", 2, **mixed)
    assert_like_onnxruntime(cases)


@pytest.mark.parametrize(("op_type", "products"), [("LSTM", 1), ("RNN", 1), ("GRU", 2)])
def test_steps_are_layers_and_share_their_weights(op_type: str, products: int) -> None:
    module = import_onnx(case(op_type, state=True).model())
    units = find_units(entry_block(main_function(module)))
    dots = [unit for unit in units if unit.kind == Kind.DOT]
    names = [f"node/step_{t}/{part}" for t in range(STEPS) for part in ("gates", "candidate")[:products]]
    assert [unit.layer for unit in dots] == ["node", *names]
    assert len({unit.op.operands[1] for unit in dots[1:]}) == products


def test_weights_count_once_for_all_steps() -> None:
    model = Model(import_onnx(case("LSTM", state=True).model()))
    assert sum(layer.weight_elements for layer in model.layers) == 4 * HIDDEN * (INPUTS + HIDDEN)
