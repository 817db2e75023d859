"""Programs for other CPUs: all compile, and where they can be run they give what this machine gives."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from quantune_mlir import resources
from quantune_mlir.execution.compiler import compile_bytes
from quantune_mlir.execution.program import Program
from quantune_mlir.execution.targets import load_target
from quantune_mlir.integer.options import RequantizeMode
from quantune_mlir.ir.text import module_bytecode
from quantune_mlir.samples import SampleSet
from quantune_mlir.workflow.model import Model
from quantune_mlir.workflow.options import QuantizeOptions
from quantune_mlir.workflow.quantization import quantize, rewrite
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
        mode: module_bytecode(
            rewrite(model, quantized.profile, quantized.plan, QuantizeOptions(requantize=mode)).module
        )
        for mode in ("integer", "float")
    }
    return lambda target, mode: compile_bytes(modules[mode], load_target(target))


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


@pytest.mark.xfail(reason="IREE 3.13's vmvx extends a table's index without its sign", raises=IndexError)
def test_portable_bytecode_computes_the_same_bytes(
    compiled: Compiled, images: NDArray[np.float32], expected: NDArray[np.float32]
) -> None:
    assert run_all(compiled("vmvx", "integer"), images).tobytes() == expected.tobytes()


@pytest.fixture(scope="module")
def aarch64_runner() -> list[str]:
    """The command that runs IREE's aarch64 iree-run-module here."""
    runtime = os.environ.get("QUANTUNE_AARCH64_RUNTIME")
    emulator = shutil.which("qemu-aarch64")
    if emulator is None:
        pytest.skip("no qemu-aarch64: install qemu-user and libc6-arm64-cross")
    if runtime is None:
        pytest.skip("set QUANTUNE_AARCH64_RUNTIME to a directory with the unpacked aarch64 wheel of iree-base-runtime")
    return [
        emulator,
        "-cpu",
        "max",
        str(Path(runtime) / "iree" / "_runtime_libs" / "iree-run-module"),
        "--device=local-sync",
    ]


@pytest.mark.slow
@pytest.mark.parametrize("target", ["armv8-dotprod", "armv8-i8mm", "cortex-a53"])
def test_aarch64_computes_the_same_bytes(
    target: str,
    compiled: Compiled,
    images: NDArray[np.float32],
    expected: NDArray[np.float32],
    aarch64_runner: list[str],
    tmp_path: Path,
) -> None:
    (tmp_path / "program.vmfb").write_bytes(compiled(target, "integer"))
    environment = {"QEMU_LD_PREFIX": "/usr/aarch64-linux-gnu", **os.environ}
    for image, wanted in zip(images[:5], expected, strict=False):
        np.save(tmp_path / "x.npy", image[None])
        subprocess.run(
            [*aarch64_runner, "--module=program.vmfb", "--function=main", "--input=@x.npy", "--output=@y.npy"],
            cwd=tmp_path,
            env=environment,
            check=True,
            capture_output=True,
            timeout=60,
        )
        assert np.load(tmp_path / "y.npy").tobytes() == wanted.tobytes()
