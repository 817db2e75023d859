"""Every kind of unit in int16: the integers of Arm's reference model, in programs of IREE's, and close to fp32."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from quantune_mlir.graph.units import SHARING, Kind
from quantune_mlir.hardware.host_isa import host_flags, needs
from quantune_mlir.mlir.bindings import ir, make_context
from quantune_mlir.mlir.function import entry_block, main_function
from quantune_mlir.mlir.qparams import boundary_params
from quantune_mlir.numerics.formats import INT16_ACTIVATIONS
from quantune_mlir.numerics.parameters import dequantize, quantize
from quantune_mlir.passes.quantize.verify_integer import VerifyInteger
from quantune_mlir.pipeline.driver import run_named_pipeline, run_pipeline
from tests.onnx_models import combine, reference
from tests.support import call, compile_module, load_program
from tests.tosa_oracle import run_reference
from tests.unit.integer.cases import CASES, Case
from tests.unit.integer.networks import CalibratedNetwork

EXACT = (
    "conv unevenly padded",
    "conv grouped",
    "conv, relu",
    "depthwise, multiplier 2",
    "transposed conv strided",
    "gemm",
    "matmul by a constant",
    "matmul by a batch of constants",
    "matmul",
    "add",
    "sub from constants",
    "mul by constants",
    "global average, relu",
    "mean that drops an axis",
    "average pool that counts its padding",
    "max pool",
    "maximum over an axis",
    "concat with constants",
    "pad with a number beyond the input's",
    "transpose",
    "gather by constant indices",
    "resize",
    "resize, linear",
    "minimum of channels",
    "dilated max pool",
    "prelu",
    "sigmoid",
    "gelu",
    "logarithm of numbers near 0",
    "clamp alone",
)
FINE = ("conv grouped", "depthwise, multiplier 2", "gemm", "matmul by a batch of constants")
"""Those with constant weights, of 16 bits."""
COARSE = {"conv", "depthwise", "transposed", "gemm", "matmul"}
"""Those with weights, which int16 has in int8."""


ALL = [*((name, "int16") for name in EXACT), *((name, "int16x16") for name in FINE)]


def network_of(case: Case, context: ir.Context) -> CalibratedNetwork:
    options = replace(case.options, requantize="integer")
    if case.kind in SHARING:  # What nothing computes with stays as it comes in.
        case = replace(case, then="Sigmoid")
    return CalibratedNetwork(case.model(read_in_int8=True), case.inputs, options, context)


@pytest.fixture(scope="module")
def outcomes():
    """By case: the network, its int16 module, the codes that went in, and what IREE makes of them."""
    context = make_context()
    networks = {case: network_of(CASES[case[0]], context) for case in ALL}
    modules = {case: net.rewritten([case[1]] * len(net.units), boundary="int8") for case, net in networks.items()}
    program = load_program(compile_module(combine(list(modules.values()), context)))
    found = {}
    for i, (case, module) in enumerate(modules.items()):
        given = boundary_params(main_function(module), "arg_attrs", len(networks[case].inputs))
        codes = [quantize(x, params) for x, params in zip(networks[case].inputs.values(), given, strict=True)]
        found[case] = networks[case], module, codes, call(program, f"f{i}", tuple(codes))[0]
    return found


@pytest.mark.parametrize(("name", "format_"), ALL)
def test_it_is_what_the_reference_model_computes(outcomes, name, format_) -> None:
    _, module, codes, actual = outcomes[name, format_]
    run_pipeline(module, [VerifyInteger()])
    (expected,) = run_reference(str(module), codes)
    assert actual.dtype == expected.dtype == np.int16
    np.testing.assert_array_equal(actual, expected)
    assert np.unique(expected).size > expected.size // 10, "a constant result would prove nothing"


@pytest.mark.parametrize(("name", "format_"), ALL)
def test_it_is_much_closer_to_fp32_than_int8(outcomes, name, format_) -> None:
    network, module, codes, actual = outcomes[name, format_]
    (made,) = boundary_params(main_function(module), "res_attrs", 1)
    assert made is not None and made.codes == INT16_ACTIVATIONS
    given = boundary_params(main_function(module), "arg_attrs", len(codes))
    inputs = {n: dequantize(c, p) for n, c, p in zip(network.inputs, codes, given, strict=True) if p is not None}
    (expected,) = reference(network.model, inputs)
    error = np.clip(expected, made.lo, made.hi) - dequantize(actual, made)
    sqnr_db = 10 * np.log10(np.sum(expected**2) / max(np.sum(error**2), 1e-30))
    coarse = name.split()[0].rstrip(",") in COARSE and format_ == "int16"
    assert sqnr_db > (34 if coarse else 65)


@pytest.mark.parametrize("isa", ["avx512vnni", "sse4", "generic"])
def test_kernels_compute_the_same(outcomes, isa) -> None:
    if not needs(isa) <= host_flags():
        pytest.skip(f"this CPU cannot run {isa}")
    context = next(iter(outcomes.values()))[1].context
    module = combine([module for _, module, *_ in outcomes.values()], context)
    run_named_pipeline(module, "kernels", {"isa": isa})
    assert str(module).count("flow.dispatch @") > 15
    program = load_program(compile_module(module))
    for i, (case, (_, _, codes, expected)) in enumerate(outcomes.items()):
        np.testing.assert_array_equal(call(program, f"f{i}", tuple(codes))[0], expected, err_msg=str(case))


def test_a_convolution_ends_in_the_format_that_reads_it() -> None:
    """Between int8 and int16 nothing is rounded twice, and no floating-point number comes in."""
    network = network_of(replace(CASES["conv 3x3"], then="Sigmoid"), make_context())
    (last,) = (i for i, unit in enumerate(network.units) if unit.layer == "node" and unit.kind is Kind.DOT)
    formats = ["int8" if i <= last else "int16" for i in range(len(network.units))]
    module = network.rewritten(formats, boundary="int8")
    run_pipeline(module, [VerifyInteger()])
    rescales = [op for op in entry_block(main_function(module)) if op.operation.name == "tosa.rescale"]
    ends = [tuple(str(v.type.element_type) for v in (op.operands[0], op.results[0])) for op in rescales]
    assert ends == [("i32", "i16"), ("i32", "i16")], "one of the convolution, one of the table"


def test_accumulators_beyond_32_bits_are_shifted() -> None:
    """A bias that is large beside weights and input takes them there."""
    rng = np.random.default_rng(0)
    case = CASES["conv 3x3"]
    weights = np.where(rng.random((4, 5, 3, 3)) < 0.5, -1, 1).astype(np.float32)
    large = replace(case, constants={"w": weights, "b": np.array([0, 1, -9e4, 4e5], np.float32)})
    network = network_of(large, make_context())
    module = network.rewritten(["int16"] * len(network.units), boundary="int8")
    shifts = [
        int(np.asarray(op.operands[2].owner.attributes["values"])[0])
        for op in entry_block(main_function(module))
        if op.operation.name == "tosa.rescale" and str(op.operands[0].type.element_type) == "i48"
    ]
    assert shifts and shifts[0] > 14
    (given,) = boundary_params(main_function(module), "arg_attrs", 1)
    codes = quantize(case.inputs["x"], given)
    (expected,) = run_reference(str(module), [codes])
    actual = call(load_program(compile_module(module)), "main", (codes,))[0]
    np.testing.assert_array_equal(actual, expected)
