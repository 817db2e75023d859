"""Programs for other CPUs: all compile, and where they can be run they give what this machine gives."""

from __future__ import annotations

import platform
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from quantune_mlir.backend.compilation import compile_program
from quantune_mlir.backend.program import Program
from quantune_mlir.errors import TargetError
from quantune_mlir.files import resources
from quantune_mlir.hardware.targets import load_target
from quantune_mlir.integer.integer_options import RequantizeMode
from quantune_mlir.model import Model
from quantune_mlir.samples.sample_set import SampleSet
from quantune_mlir.workflow.options import QuantizeOptions
from quantune_mlir.workflow.quantization import quantize
from quantune_mlir.workflow.rewriting import PlanRewriter
from tests.aarch64 import Emulator
from tests.e2e.conftest import DIGITS

IMAGES = 20
ELF_MACHINES = {"aarch64": 183, "arm": 40, "riscv": 243, "x86_64": 62}
"""e_machine of the ELF header that IREE puts into a program, by the start of the target's triple."""

Compiled = Callable[[str, RequantizeMode], bytes]


@pytest.fixture(scope="module")
def compiled() -> Compiled:
    """The mixed digits network, compiled for a target."""
    model = Model.load(DIGITS / "digits.onnx")
    samples = SampleSet.open(DIGITS / "digits_calibration.npz", model.inputs, count=IMAGES)
    quantized = quantize(model, samples)
    modules = {
        mode: PlanRewriter(model, quantized.profile, QuantizeOptions(requantize=mode)).rewrite(quantized.plan).module
        for mode in ("integer", "float")
    }
    return lambda target, mode: compile_program(modules[mode], load_target(target))


@pytest.fixture(scope="module")
def images() -> NDArray[np.float32]:
    return np.load(DIGITS / "digits_test.npz")["input"][:IMAGES]


@pytest.fixture(scope="module")
def expected(compiled: Compiled, images: NDArray[np.float32]) -> NDArray[np.float32]:
    """What this machine makes of the images, in integer mode."""
    return run_all(compiled("host", "integer"), images)


def run_all(program: bytes, images: NDArray[np.float32]) -> NDArray[np.float32]:
    loaded = Program(program)
    return np.concatenate([loaded(image[None])[0] for image in images])


def machine_of(triple: str) -> int:
    family = triple.split("-")[0].replace("thumb", "arm")
    (code,) = [code for name, code in ELF_MACHINES.items() if family.startswith(name)]
    return code


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(resources.targets()))
def test_mixed_network_compiles_for_the_target_in_its_own_mode(name: str, compiled: Compiled) -> None:
    target = load_target(name)
    if target.floats == "none":
        with pytest.raises(TargetError, match=r"a \.vmfb cannot call what computes floats"):
            compiled(name, target.requantize)
        return
    program = compiled(name, target.requantize)
    if target.triple is None:
        assert (b"\x7fELF" in program) == (target.backend == "llvm-cpu")
    else:
        header = program.index(b"\x7fELF")
        assert int.from_bytes(program[header + 18 : header + 20], "little") == machine_of(target.triple)
        assert program[header + 4] == (2 if "64" in target.triple.split("-")[0] else 1), "word size"


@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="runs x86-64 code: needs such a CPU")
def test_plain_x86_computes_the_same_bytes(
    compiled: Compiled, images: NDArray[np.float32], expected: NDArray[np.float32]
) -> None:
    assert run_all(compiled("x86-64", "integer"), images).tobytes() == expected.tobytes()


def test_portable_bytecode_computes_the_same_bytes(
    compiled: Compiled, images: NDArray[np.float32], expected: NDArray[np.float32]
) -> None:
    assert run_all(compiled("vmvx", "integer"), images).tobytes() == expected.tobytes()


@pytest.mark.slow
@pytest.mark.parametrize("target", ["armv8-dotprod", "armv8-i8mm", "cortex-a53"])
def test_aarch64_computes_the_same_bytes(
    target: str, compiled: Compiled, images: NDArray[np.float32], expected: NDArray[np.float32], aarch64: Emulator
) -> None:
    program = compiled(target, "integer")
    for image, wanted in zip(images[:5], expected, strict=False):
        (actual,) = aarch64.run(program, [image[None]], 1)
        assert actual.tobytes() == wanted.tobytes()
