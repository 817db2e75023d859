"""Whole networks of the zoo give the same bytes on emulated CPUs as on this machine, all in int8.

All but the closing softmax, which is fp32: its exponentials and sums may differ in the last bit.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from quantune_mlir.backend.compilation import compile_program
from quantune_mlir.backend.delivery import Delivery, write_files
from quantune_mlir.backend.program import Program
from quantune_mlir.hardware.targets import load_target
from quantune_mlir.mlir.bindings import ir
from quantune_mlir.mlir.function import entry_block, main_function
from quantune_mlir.model import Model
from quantune_mlir.numerics.formats import INT8
from quantune_mlir.passes.simplify.remove_dead_code import RemoveDeadCode
from quantune_mlir.planning.plan import PrecisionPlan
from quantune_mlir.samples.sample_set import SampleSet
from quantune_mlir.sensitivity.calibration import Calibrator
from quantune_mlir.workflow.options import QuantizeOptions
from quantune_mlir.workflow.rewriting import PlanRewriter
from tests.aarch64 import Emulator
from tests.c_bundle import require, selftest
from tools.zoo import Zoo

pytestmark = [pytest.mark.zoo, pytest.mark.slow]

SAMPLES = 10

Quantized = Callable[[str], tuple[ir.Module, list[np.ndarray], bytes]]


@pytest.fixture(scope="module")
def quantized(zoo: Path) -> Quantized:
    """A network in int8, integer mode; samples; and what this machine makes of the first."""

    @cache
    def make(network: str) -> tuple[ir.Module, list[np.ndarray], bytes]:
        host = load_target("host")
        model = Model.load(Zoo(zoo).model(network))
        samples = Zoo(zoo).samples(network, "calib", SAMPLES)
        profile = Calibrator(model, host).run(SampleSet.open(samples, model.inputs))
        plan = PrecisionPlan(format=1, default=INT8)
        module = PlanRewriter(model, profile, QuantizeOptions(requantize="integer")).rewrite(plan).module
        return_logits(module)
        (given,) = (np.split(array, SAMPLES) for array in samples.values())
        (expected,) = Program(compile_program(module, host))(given[0])
        return module, given, expected.tobytes()

    return make


def return_logits(module: ir.Module) -> None:
    """Return what the softmax reads, if there is one, instead of what it gives."""
    function = main_function(module)
    block = entry_block(function)
    logits = next((op.operands[0] for op in block.operations if op.operation.name == "tosa.reduce_max"), None)
    if logits is None:
        return
    end = block.operations[len(block.operations) - 1]
    end.operands[0] = logits
    kind = ir.FunctionType.get([x.type for x in block.arguments], [logits.type], module.context)
    function.attributes["function_type"] = ir.TypeAttr.get(kind, module.context)
    RemoveDeadCode().apply(module)
    module.operation.verify()


@pytest.mark.parametrize(
    ("network", "target"),
    [
        ("resnet8_cifar10", "armv8-i8mm"),
        ("resnet8_cifar10", "cortex-a53"),
        ("resnet8_cifar10", "armv8-dotprod"),
        ("kws_dscnn", "armv8-dotprod"),
        ("mobilenet_v1_025_imagenet", "armv8-dotprod"),
    ],
)
def test_network_gives_the_same_bytes(network: str, target: str, aarch64: Emulator, quantized: Quantized) -> None:
    module, samples, expected = quantized(network)
    (actual,) = aarch64.run(compile_program(module, load_target(target)), samples[:1], 1)
    assert actual.tobytes() == expected
    assert np.unique(actual).size > 1, "a constant result would prove nothing"


@pytest.mark.parametrize(
    ("network", "target"),
    [
        ("ad_autoencoder", "cortex-m7"),
        ("kws_dscnn", "cortex-m4"),
        ("resnet8_cifar10", "cortex-m55"),
        ("resnet8_cifar10", "riscv64-v"),
    ],
)
def test_bundle_gives_the_same_bytes(network: str, target: str, quantized: Quantized, tmp_path: Path) -> None:
    require(load_target(target).c)
    module, samples, _ = quantized(network)
    delivery = Delivery("c-bundle", title=network, samples=[[sample] for sample in samples], vectors=SAMPLES)
    write_files(delivery.files(module, load_target(target)), tmp_path / "bundle")
    said = selftest(tmp_path / "bundle", tmp_path / "build")
    assert said.count("elements identical") == SAMPLES and "difference" not in said
