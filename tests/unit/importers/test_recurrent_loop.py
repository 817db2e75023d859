"""Many steps of LSTM, GRU and RNN, a loop, against ONNX Runtime: one kernel, and as IREE compiles it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from quantune_mlir.backend.compilation import with_kernels
from quantune_mlir.hardware.targets import load_target
from quantune_mlir.importers.onnx import import_onnx
from quantune_mlir.importers.onnx.ops import recurrent
from quantune_mlir.mlir.bindings import ir, make_context
from quantune_mlir.mlir.function import functions, ops_named
from quantune_mlir.mlir.tosa.counted_loop import LOOP
from quantune_mlir.model import Model
from tests.onnx_models import OneNode, combine, reference
from tests.support import call, compile_module, load_program
from tests.unit.importers.test_recurrent import GATES, case

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def few_steps_are_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recurrent, "LEAST_STEPS", 1)


def loops(module: ir.Module) -> list[ir.Operation]:
    return [op for function in functions(module) for op in ops_named(function, LOOP)]


def with_lengths(node: OneNode) -> OneNode:
    """The same, the lengths given at run time."""
    constants = dict(node.constants)
    lengths = np.asarray(constants.pop("lengths"))
    return replace(node, inputs={**node.inputs, "lengths": lengths}, constants=constants)


def all_cases() -> dict[str, OneNode]:
    found: dict[str, OneNode] = {}
    for op_type in GATES:
        found |= {
            f"{op_type} forward": case(op_type),
            f"{op_type} reverse": case(op_type, direction="reverse"),
            f"{op_type} both, states": case(op_type, 2, state=True),
            f"{op_type} constant states": case(op_type, 2, constant_state=True, clip=0.3),
            f"{op_type} unequal lengths": case(op_type, 2, lengths=[2, 3, 1], state=True),
        }
    return found | {
        "GRU, reset behind the product": case("GRU", 2, linear_before_reset=1, state=True, clip=0.5),
        "LSTM, peepholes": case("LSTM", 2, peepholes=True, state=True),
        "LSTM, last state alone": replace(case("LSTM"), outputs=("", "h", "")),
        "LSTM, coupled gates": case("LSTM", state=True, input_forget=1),
        "LSTM, hard": case(
            "LSTM",
            activations=["HardSigmoid", "Softsign", "ScaledTanh"],
            activation_alpha=[0.3, 0.8],
            activation_beta=[0.4, 1.2],
        ),
        "GRU, lengths as an input": with_lengths(case("GRU", 2, lengths=[2, 3, 1], state=True)),
        "LSTM, in pieces": case("LSTM", activations=["Elu", "LeakyRelu", "Softplus"], activation_alpha=[0.7, 0.2]),
        "RNN, thresholds": case("RNN", activations=["ThresholdedRelu"], activation_alpha=[0.1]),
    }


@pytest.mark.parametrize("in_kernels", [True, False])
def test_loops_give_what_onnxruntime_does(in_kernels: bool) -> None:
    cases, context = all_cases(), make_context()
    models = {name: each.model() for name, each in cases.items()}
    modules = [Model(import_onnx(model, context=context)).module for model in models.values()]
    assert all(map(loops, modules))
    combined = combine(modules, context)
    if in_kernels:
        combined = with_kernels(combined, load_target("host"))
        assert not loops(combined)
    program = load_program(compile_module(combined))
    for index, (name, each) in enumerate(cases.items()):
        got = call(program, f"f{index}", tuple(each.inputs.values()))
        for mine, wanted in zip(got, reference(models[name], each.inputs), strict=True):
            np.testing.assert_allclose(mine, wanted, rtol=1e-4, atol=1e-5, err_msg=name)
