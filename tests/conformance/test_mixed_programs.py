"""The mixed programs of quantune-quantize, in integer mode: IREE and Arm's TOSA reference model agree.

All that is integer is compared bit for bit: the integer part of each program is run by the reference model on the very
int8 tensors that IREE got at its boundaries from fp32. The whole programs are compared as well: if all is int8, the
integers are the same bit for bit from the fp32 input on, and what follows the last of them (a softmax) nearly so; with
fp32 layers, whose sums the two order differently, the outputs are close.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from quantune_mlir.backend.compiler import compile_module
from quantune_mlir.backend.program import Program
from quantune_mlir.hardware.targets import load_target
from quantune_mlir.integer.integer_options import IntegerOptions
from quantune_mlir.mlir.bindings import ir, make_context
from quantune_mlir.model import Model
from quantune_mlir.numerics.formats import FP32, INT8
from quantune_mlir.numerics.profile import Profile
from quantune_mlir.planning.plan import LayerPlan, PrecisionPlan
from quantune_mlir.samples.sample_set import SampleSet
from quantune_mlir.sensitivity.calibration import Calibrator
from tests.conformance.integer_part import integer_part
from tests.onnx_models import combine
from tests.support import call, load_program
from tests.support import compile_module as compile_for_tests
from tests.tosa_oracle import run_reference
from tests.unit.integer.cases import CASES
from tests.unit.integer.networks import CalibratedNetwork

pytestmark = pytest.mark.conformance

DATA = Path(__file__).parent.parent / "data"
INTEGER = IntegerOptions(requantize="integer")

SINGLE = [
    "conv 3x3",
    "conv 1x1",
    "conv strided",
    "conv dilated",
    "conv unevenly padded",
    "conv of a batch",
    "conv, relu",
    "conv grouped",
    "depthwise",
    "depthwise, multiplier 2",
    "transposed conv strided",
    "gemm",
    "matmul",
    "matmul by a constant",
    "add",
    "add, broadcast",
    "sub",
    "mul",
    "mul by constants",
    "concat",
    "concat with constants",
    "pad",
    "max pool",
    "average pool",
    "average pool, padded",
    "global average",
    "global max pool",
    "mean over two axes",
    "resize",
    "gather by constant indices",
    "hard swish",
    "clamp alone",
    "slice backwards",
]


@pytest.fixture(scope="module")
def single_nodes():
    """For each of the cases: its integer part, and what IREE returns from the probed program."""
    context = make_context()
    parts, inputs = {}, {}
    for name in SINGLE:
        case = CASES[name]
        network = CalibratedNetwork(case.model(read_in_int8=True), case.inputs, INTEGER, context)
        parts[name] = integer_part(network.quantized(network.in_int8(moves=True)))
        inputs[name] = tuple(case.inputs.values())
    program = load_program(compile_for_tests(combine([part.probed for part in parts.values()], context)))
    return {name: (part, call(program, f"f{i}", inputs[name])) for i, (name, part) in enumerate(parts.items())}


@pytest.mark.parametrize("name", SINGLE)
def test_single_nodes_are_bit_exact(single_nodes, name) -> None:
    part, results = single_nodes[name]
    assert_integers_are_equal(part, results[1:])


@dataclass(frozen=True)
class Calibrated:
    """A real network, its profile, and a few samples that it was not calibrated with."""

    model: Model
    profile: Profile
    samples: list[np.ndarray]

    def mixed(self, plan: PrecisionPlan) -> ir.Module:
        repaired = self.model.after("repair", profile=self.profile, correct_bias=False)
        return repaired.after("rewrite", plan=plan, requantize="integer").module


def digits(zoo: Callable[[], Path]) -> Calibrated:
    model = Model.load(DATA / "digits.onnx")
    (name,) = (spec.name for spec in model.inputs)
    samples = np.load(DATA / "digits_test.npz")[name][:4]
    return calibrated(model, np.load(DATA / "digits_calibration.npz")[name][:20], samples)


def zoo_network(name: str) -> Callable[[Callable[[], Path]], Calibrated]:
    def load(zoo: Callable[[], Path]) -> Calibrated:
        tools = load_module(zoo() / "zoo.py")
        model = Model.load(tools.model_path(name))
        return calibrated(model, tools.samples(name, "calib", 20)[0], tools.samples(name, "val", 3)[0])

    return load


def calibrated(model: Model, calibration: np.ndarray, samples: np.ndarray) -> Calibrated:
    (spec,) = model.inputs
    runs = SampleSet.open({spec.name: calibration}, model.inputs)
    profile = Calibrator(model, load_target("host")).run(runs)
    return Calibrated(model, profile, [sample.reshape(spec.shape).astype(np.float32) for sample in samples])


def load_module(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


NETWORKS = {"digits": digits, "resnet8": zoo_network("resnet8_cifar10"), "kws": zoo_network("kws_dscnn")}


@pytest.fixture(scope="module", params=NETWORKS)
def network(request: pytest.FixtureRequest) -> Calibrated:
    return NETWORKS[request.param](lambda: request.getfixturevalue("zoo"))


def everything_int8(model: Model) -> PrecisionPlan:
    return PrecisionPlan(format=1, default=INT8)


def every_third_fp32(model: Model) -> PrecisionPlan:
    deciding = [layer.name for layer in model.layers if layer.decides]
    layers = tuple(LayerPlan(name=name, precision=FP32) for name in deciding[1::3])
    return PrecisionPlan(format=1, default=INT8, layers=layers)


@pytest.mark.zoo
@pytest.mark.parametrize("plan", [everything_int8, every_third_fp32])
def test_real_networks_are_bit_exact_in_all_that_is_integer(network: Calibrated, plan) -> None:
    part = integer_part(network.mixed(plan(network.model)))
    program = Program(compile_module(part.probed, load_target("host")))
    whole = str(part.probed)
    for sample in network.samples:
        result, *probes = program(sample)
        assert_integers_are_equal(part, probes)
        expected_result, *expected_probes = run_reference(whole, [sample])
        output, expected_output = result.astype(np.float32), expected_result.astype(np.float32)
        scale = np.abs(output).max()
        if plan is everything_int8:
            assert part.entries == 1, "only the input is quantized"
            for actual, expected in zip(probes, expected_probes, strict=True):
                np.testing.assert_array_equal(actual, expected)
            np.testing.assert_allclose(output, expected_output, rtol=1e-5, atol=1e-6 * scale)
        else:
            assert part.entries > 1
            np.testing.assert_allclose(output, expected_output, atol=0.03 * scale)


def assert_integers_are_equal(part, probes: list[np.ndarray]) -> None:
    entries, exits = probes[: part.entries], probes[part.entries :]
    assert len(exits) == part.exits and part.exit_indices
    expected = run_reference(part.alone, entries)
    for index, values in zip(part.exit_indices, expected, strict=True):
        assert np.unique(values).size > 4, "a constant result would prove nothing"
        np.testing.assert_array_equal(exits[index], values)
