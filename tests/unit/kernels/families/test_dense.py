"""Convolutions and matrix products computed by kernels equal NumPy's, for every instruction set that can be run here.

int8 is exact, in both requantize modes; fp32 is right to 1e-5.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from quantune_mlir.backend.compilation import compile_program, with_kernels
from quantune_mlir.backend.program import Program
from quantune_mlir.hardware.host_isa import host_flags, needs
from quantune_mlir.hardware.targets import Target, load_target
from quantune_mlir.kernels.isa.by_name import ISAS
from quantune_mlir.mlir.bindings import ir, make_context
from quantune_mlir.mlir.text import parse_module
from tests.unit.kernels.convolutions import NAMED, Convolution, random_convolutions
from tests.unit.kernels.tosa import Graph

Run = Callable[[bytes, Sequence[np.ndarray], int], list[np.ndarray]]

ON_THIS_MACHINE = ("avx512vnni", "avxvnni", "avx2", "sse4", "rvv", "generic")
ON_ARM = {"i8mm": "armv8-i8mm", "dotprod": "armv8-dotprod", "armv8": "cortex-a53"}
"""Emulated instruction sets, and the targets that name them."""


@pytest.fixture(scope="module", params=[*ON_THIS_MACHINE, *ON_ARM])
def machine(request: pytest.FixtureRequest) -> tuple[Target, Run]:
    """A target with the instruction set, and how to run its programs."""
    isa = request.param
    if isa in ON_ARM:
        return load_target(ON_ARM[isa]), request.getfixturevalue("aarch64").run
    if not runs_here(isa):
        pytest.skip(f"this CPU cannot run {isa}")
    return load_target("host").model_copy(update={"isa": isa}), run_here


def runs_here(isa: str) -> bool:
    # Of avxvnni the kernels use vpdpbusd on 256 bits, which AVX-512 VNNI has too.
    return any(needs(name) <= host_flags() for name in {isa, "avx512vnni" if isa == "avxvnni" else isa})


def run_here(program: bytes, inputs: Sequence[np.ndarray], results: int) -> list[np.ndarray]:
    got = Program(program)(*inputs)
    assert len(got) == results
    return list(got)


def assert_computes(convolutions: dict[str, Convolution], target: Target, run: Run) -> None:
    """All of them in one program."""
    assert target.isa is not None
    graph = Graph(fuses=ISAS[target.isa].fuses)
    rng = np.random.default_rng(0)
    for convolution in convolutions.values():
        convolution.write(graph, rng)
    module = parse_module(str(graph), make_context())
    slices = sum(convolution.cut > 0 and any(convolution.pad) for convolution in convolutions.values())
    dispatches = count(with_kernels(module, target), "flow.dispatch")
    assert dispatches == len(convolutions) + slices, "not all have a kernel"
    got = run(compile_program(module, target), [x.value for x in graph.inputs], len(graph.results))
    for (name, convolution), expected, actual in zip(convolutions.items(), graph.results, got, strict=True):
        wanted = expected.value
        assert actual.dtype == wanted.dtype and actual.shape == wanted.shape
        if convolution.mode == "fp32":
            largest = float(np.abs(wanted).max())
            np.testing.assert_allclose(actual, wanted, rtol=1e-5, atol=1e-5 * largest, err_msg=name)
        else:
            np.testing.assert_array_equal(actual, wanted, err_msg=name)


def count(module: ir.Module, op: str) -> int:
    found = 0

    def visit(each: ir.Operation) -> ir.WalkResult:
        nonlocal found
        found += each.name == op
        return ir.WalkResult.ADVANCE

    module.operation.walk(visit)
    return found


@pytest.mark.slow
def test_named_shapes(machine: tuple[Target, Run]) -> None:
    assert_computes(NAMED, *machine)


@pytest.mark.slow
@settings(max_examples=2, phases=(Phase.explicit, Phase.generate))
@given(shapes=st.lists(random_convolutions().filter(lambda c: c.is_possible), min_size=6, max_size=6))
def test_random_shapes(machine: tuple[Target, Run], shapes: list[Convolution]) -> None:
    assert_computes({repr(shape): shape for shape in shapes}, *machine)


def test_layers_of_equal_shape_share_a_kernel() -> None:
    graph = Graph()
    rng = np.random.default_rng(0)
    layer = Convolution(8, 16)
    for convolution in (layer, replace(layer, zero_point=-7), layer, replace(layer, size=(5, 7))):
        convolution.write(graph, rng)
    target = load_target("x86-64-avx2")
    lowered = with_kernels(parse_module(str(graph), make_context()), target)
    assert count(lowered, "flow.dispatch") == 4
    assert count(lowered, "hal.executable.source") == 2


def test_without_kernels_iree_compiles_the_same_numbers() -> None:
    graph = Graph()
    Convolution(8, 16, pad=(1, 1, 1, 1)).write(graph, np.random.default_rng(0))
    module = parse_module(str(graph), make_context())
    before = str(module)
    plain = compile_program(module, load_target("host"), kernels=False)
    assert str(module) == before
    assert b"convolution_0" not in plain and b"convolution_0" in compile_program(module, load_target("host"))
    (actual,) = Program(plain)(*(x.value for x in graph.inputs))
    np.testing.assert_array_equal(actual, graph.results[0].value)
