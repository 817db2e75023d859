"""Integers held in fp32 give run 2 the very numbers that i8 convolutions give it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, get_args

import numpy as np
import pytest

from quantune_mlir.execution.compiler import compile_module
from quantune_mlir.execution.program import Program
from quantune_mlir.execution.targets import load_target
from quantune_mlir.integer.options import RequantizeMode
from quantune_mlir.ir.function import main_function
from quantune_mlir.ir.mlir import ir, make_context
from quantune_mlir.ir.text import module_bytecode, parse_module
from quantune_mlir.ir.units import entry_block
from quantune_mlir.passes.driver import run_pipeline
from quantune_mlir.passes.expand_rounding import ExpandRounding
from quantune_mlir.passes.lower_observers import LowerObservers
from quantune_mlir.passes.shadow_int8 import ShadowInt8
from tests.unit.integer.cases import IMAGE, Case, conv
from tests.unit.integer.networks import Network


def with_dead_channels(case: Case) -> Case:
    """Tiny weights in every other output channel, so that its bias, in units of their scale, exceeds 2^24."""
    weights = case.constants["w"].copy()
    weights[::2] *= np.float32(1e-6)
    return replace(case, constants={**case.constants, "w": weights})


CASES = {
    "3x3": conv(IMAGE, (7, 5, 3, 3), pads=[1, 1, 1, 1], then="Relu"),
    "strided 1x1": conv(IMAGE, (6, 5, 1, 1), strides=[2, 2]),
    "dead channels": with_dead_channels(conv(IMAGE, (7, 5, 3, 3), then="Relu")),
    "depthwise with dead channels": with_dead_channels(conv(IMAGE, (5, 1, 3, 3), group=5, pads=[1, 1, 1, 1])),
}


def shadowed(network: Network, *, exact_fp32: bool) -> ir.Module:
    module = parse_module(module_bytecode(network.module), network.context)
    requantize = network.options.requantize
    run_pipeline(module, [ShadowInt8(requantize=requantize, exact_fp32=exact_fp32)])
    if exact_fp32:
        run_pipeline(module, [ExpandRounding()])
    return module


def accumulators(module: ir.Module) -> set[str]:
    """The element types of what the convolutions yield."""
    ops = [op.operation for op in entry_block(main_function(module))]
    return {str(ir.RankedTensorType(op.results[0].type).element_type) for op in ops if "conv2d" in op.name}


def energies(module: ir.Module, *inputs: np.ndarray) -> np.ndarray[Any, Any]:
    run_pipeline(module, [LowerObservers()])
    program = Program(compile_module(module, load_target("host")))
    program(*inputs)
    return program.call("energies")[0]


@pytest.mark.parametrize("mode", get_args(RequantizeMode))
@pytest.mark.parametrize("name", CASES)
def test_energies_are_the_same_to_the_bit(name: str, mode: RequantizeMode) -> None:
    case = CASES[name]
    options = replace(case.options, requantize=mode)
    network = Network(case.model(read_in_int8=True), case.inputs, options, make_context())
    in_fp32, in_int8 = (shadowed(network, exact_fp32=exact) for exact in (True, False))
    assert accumulators(in_fp32) == {"f32"}
    assert accumulators(in_int8) == {"f32", "i32"}
    assert ("arith.fptosi" in str(in_fp32)) == ("dead" in name)
    expected = energies(in_int8, *case.inputs.values())
    assert (expected[:, 1] > 0).any()
    np.testing.assert_array_equal(energies(in_fp32, *case.inputs.values()), expected)
