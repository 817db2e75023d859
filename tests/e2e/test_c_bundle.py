"""Networks as C code that needs no runtime: what IREE's runtime computes, to the byte."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest

from quantune_mlir.backend.delivery import Delivery, write_files
from quantune_mlir.files import resources
from quantune_mlir.hardware.targets import load_target
from quantune_mlir.mlir.bindings import ir, make_context
from quantune_mlir.mlir.text import parse_module
from quantune_mlir.model import Model
from quantune_mlir.numerics.formats import INT8, INT16
from quantune_mlir.passes.quantize.verify_integer import VerifyInteger
from quantune_mlir.pipeline.driver import run_pipeline
from quantune_mlir.planning.plan import ALL_INT8, LayerPlan, PrecisionPlan
from quantune_mlir.samples.sample_set import SampleSet
from quantune_mlir.sensitivity.calibration import Calibrator
from quantune_mlir.workflow.options import QuantizeOptions
from quantune_mlir.workflow.rewriting import PlanRewriter
from tests.c_bundle import STRICT, require, selftest
from tests.e2e.conftest import DIGITS, Quantune
from tests.e2e.models import dense_layers, save_model, save_samples
from tools.instructions.counting import build_plugin, instructions_of

FORMS = """
func.func @main(%a: tensor<1x4xf32>, %b: tensor<1x4xf32>) ->
    (tensor<2x4xf32>, tensor<1x4xf32>, tensor<1x4xf32>, tensor<1x4xf32>, tensor<3xi8>, tensor<1x8x3xf32>) {
  %joined = "tosa.concat"(%a, %b) {axis = 0 : i32} : (tensor<1x4xf32>, tensor<1x4xf32>) -> tensor<2x4xf32>
  %sum = tosa.add %a, %b : (tensor<1x4xf32>, tensor<1x4xf32>) -> tensor<1x4xf32>
  %same = "tosa.const"() {values = dense<7> : tensor<3xi8>} : () -> tensor<3xi8>
  %shape = "tosa.const_shape"() {values = dense<[1, 4, 1]> : tensor<3xindex>} : () -> !tosa.shape<3>
  %pads = "tosa.const_shape"() {values = dense<[0, 0, 2, 2, 1, 1]> : tensor<6xindex>} : () -> !tosa.shape<6>
  %with = "tosa.const"() {values = dense<1.5> : tensor<1xf32>} : () -> tensor<1xf32>
  %column = tosa.reshape %b, %shape : (tensor<1x4xf32>, !tosa.shape<3>) -> tensor<1x4x1xf32>
  %padded = tosa.pad %column, %pads, %with : (tensor<1x4x1xf32>, !tosa.shape<6>, tensor<1xf32>) -> tensor<1x8x3xf32>
  return %joined, %sum, %sum, %a, %same, %padded :
    tensor<2x4xf32>, tensor<1x4xf32>, tensor<1x4xf32>, tensor<1x4xf32>, tensor<3xi8>, tensor<1x8x3xf32>
}
"""
"""Copies, fills, a result returned twice, an input and a constant returned."""
NO_KERNEL = """
func.func @main(%a: tensor<4xf32>) -> tensor<4xf32> {
  return %a : tensor<4xf32>
}
"""

INSTRUCTIONS = {
    "armv8-dotprod": (".4b[",),  # sdot with one of four words of inputs that were loaded at once
    "armv8-i8mm": ("smmla",),
    "cortex-m4": ("smlad",),
    "cortex-m55": ("vmlava.s8", "-marmv8.1-m.main"),  # what binutils call vmladava
}
"""What the kernels of a target are made of, and what objdump must be told to see it."""
EMULATED = sorted(name for name in resources.targets() if load_target(name).c.emulator)


@pytest.fixture(scope="module")
def digits() -> Mapping[str, ir.Module]:
    """The sample network in fp32, in int8, and in integers, every other layer in int16."""
    model = Model.load(DIGITS / "digits.onnx")
    samples = SampleSet.open(DIGITS / "digits_calibration.npz", model.inputs, count=10)
    profile = Calibrator(model, load_target("host")).run(samples)
    int8 = PlanRewriter(model, profile, QuantizeOptions(requantize="integer")).rewrite(ALL_INT8).module
    deciding = [layer for layer in model.layers if layer.decides]
    layers = tuple(
        LayerPlan(name=layer.name, op=layer.op_type, precision=(INT8, INT16)[number % 2], reason="a test")
        for number, layer in enumerate(deciding)
    )
    plan = PrecisionPlan(format=1, default=INT8, layers=layers)
    integers = PlanRewriter(model, profile, QuantizeOptions(integer_only=True)).rewrite(plan, "int8").module
    run_pipeline(integers, [VerifyInteger()])
    return {"fp32": model.module, "int8": int8, "integers": integers}


@pytest.fixture(scope="module")
def images() -> list[tuple[np.ndarray]]:
    return [(image,) for image in np.split(np.load(DIGITS / "digits_test.npz")["input"][:10], 10)]


def bundle(
    module: ir.Module, target: str, folder: Path, samples: Sequence[tuple[np.ndarray]] = (), name: str = "model"
) -> Path:
    delivery = Delivery("c-bundle", name, "a test", samples=samples, vectors=max(1, len(samples)))
    write_files(delivery.files(module, load_target(target)), folder)
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_network_gives_the_same_bytes_without_a_runtime(
    precision: str, digits: Mapping[str, ir.Module], images: list[tuple[np.ndarray]], tmp_path: Path
) -> None:
    require(load_target("host").c)
    made = bundle(digits[precision], "host", tmp_path / "bundle", images[:1])
    said = selftest(made, tmp_path / "build", "THREADS=1")
    assert said.count("logits: 10 of 10 elements identical") == 2, "alone, and with two threads"


@pytest.mark.slow
@pytest.mark.parametrize("target", EMULATED)
def test_network_gives_the_same_bytes_on_an_emulated_cpu(
    target: str, digits: Mapping[str, ir.Module], images: list[tuple[np.ndarray]], tmp_path: Path
) -> None:
    require(load_target(target).c)
    made = bundle(digits["integers"], target, tmp_path / "bundle", images)
    assert selftest(made, tmp_path / "build").count("logits: 10 of 10 elements identical") == len(images)
    if target in INSTRUCTIONS:
        objdump = load_target(target).c.compiler.replace("gcc", "objdump")
        mnemonic, *flags = INSTRUCTIONS[target]
        command = [objdump, "-d", *flags, made / "kernels.o"]
        assert mnemonic in subprocess.run(command, check=True, capture_output=True, text=True).stdout


@pytest.mark.slow
def test_kernels_take_fewer_instructions_than_stock_iree(digits: Mapping[str, ir.Module], tmp_path: Path) -> None:
    target = load_target("armv8-dotprod")
    require(target.c)
    plugin = build_plugin(tmp_path)

    def count(name: str, *, kernels: bool) -> int:
        write_files(Delivery("c-bundle", kernels=kernels).files(digits["int8"], target), tmp_path / name)
        return sum(instructions_of(tmp_path / name, target.c, plugin).values())

    assert count("ours", kernels=True) < 0.27 * count("stock", kernels=False)


@pytest.mark.parametrize(("text", "results"), [(FORMS, 6), (NO_KERNEL, 1)], ids=["forms", "no-kernel"])
def test_all_forms_of_commands(text: str, results: int, tmp_path: Path) -> None:
    require(load_target("host").c)
    made = bundle(parse_module(text, make_context()), "host", tmp_path / "bundle", name="forms")
    said = selftest(made, tmp_path / "build", "THREADS=1")
    assert said.count("identical") == 2 * results, "alone, and with two threads"
    assert "difference" not in said


@pytest.mark.parametrize("target", ["host", "cortex-m4"])
def test_large_constants(target: str, tmp_path: Path) -> None:
    require(load_target(target).c)
    values = np.random.default_rng(0).random(8192, np.float32).tobytes().hex().upper()
    text = f"""
    func.func @main(%x: tensor<1x8192xf32>) -> tensor<1x8192xf32> {{
      %c = "tosa.const"() {{values = dense<"0x{values}"> : tensor<1x8192xf32>}} : () -> tensor<1x8192xf32>
      %y = tosa.add %x, %c : (tensor<1x8192xf32>, tensor<1x8192xf32>) -> tensor<1x8192xf32>
      return %y : tensor<1x8192xf32>
    }}
    """
    made = bundle(parse_module(text, make_context()), target, tmp_path / "bundle")
    assert "output_0: 8192 of 8192 elements identical" in selftest(made, tmp_path / "build")


def test_wrong_results_are_told(tmp_path: Path) -> None:
    require(load_target("host").c)
    made = bundle(parse_module(NO_KERNEL, make_context()), "host", tmp_path / "bundle")
    vector = made / "test_vector.h"
    inputs, expected = vector.read_text().split("expected_output_0")
    vector.write_text(inputs + "expected_output_0" + re.sub("0x[0-9a-f]+", "0x40000000", expected, count=1))
    done = subprocess.run(["make", "selftest"], cwd=made, capture_output=True, text=True)
    assert done.returncode != 0
    assert "FAILED" in done.stdout


@pytest.mark.skipif(shutil.which("c++") is None, reason="no C++ compiler")
def test_header_is_cplusplus_too(tmp_path: Path) -> None:
    made = bundle(parse_module(NO_KERNEL, make_context()), "host", tmp_path / "bundle")
    user = tmp_path / "user.cpp"
    user.write_text('#include "model.h"\nint main() { return model_init(); }\n')
    require(load_target("host").c)
    selftest(made, made)
    command = ["c++", *STRICT.split(), str(user), str(made / "libmodel.a"), f"-I{made}", "-o", str(tmp_path / "user")]
    subprocess.run(command, check=True)
    subprocess.run([str(tmp_path / "user")], check=True)


@pytest.mark.skipif(shutil.which("g++") is None, reason="no g++")
def test_all_of_it_is_cplusplus_too(tmp_path: Path) -> None:
    require(load_target("host").c)
    made = bundle(parse_module(FORMS, make_context()), "host", tmp_path / "bundle")
    compile_ = f"COMPILE=g++ -O1 {STRICT} -DSELFTEST_TOLERANCE=0 -DMODEL_PTHREADS -pthread -I{made}"
    selftest(made, tmp_path / "build", compile_, "THREADS=1")


def test_readme_shows_a_call_that_compiles(tmp_path: Path) -> None:
    target = load_target("cortex-m4")
    require(target.c)
    made = bundle(parse_module(FORMS, make_context()), "cortex-m4", tmp_path / "bundle")
    shown = (made / "README.md").read_text().split("```c\n")[1].split("```")[0]
    before, call = shown.split("int status = ")
    (tmp_path / "user.c").write_text(f"{before}int main(void) {{ return {call.split(';')[0]}; }}\n")
    flags = [*target.c.flags, *STRICT.split(), "-std=c99", f"-I{made}", "-fsyntax-only"]
    subprocess.run([target.c.compiler, *flags, str(tmp_path / "user.c")], check=True)


@pytest.mark.skipif(shutil.which("cmake") is None, reason="no cmake")
@pytest.mark.parametrize("target", ["host", "cortex-m4"])
def test_cmake_builds_and_runs_the_selftest(target: str, tmp_path: Path) -> None:
    c = load_target(target).c
    require(c)
    made = bundle(parse_module(NO_KERNEL, make_context()), target, tmp_path / "bundle")
    build = tmp_path / "build"
    cross = [] if c.hosted else ["-DCMAKE_SYSTEM_NAME=Generic", "-DCMAKE_TRY_COMPILE_TARGET_TYPE=STATIC_LIBRARY"]
    subprocess.run(["cmake", "-S", made, "-B", build, f"-DCMAKE_C_COMPILER={c.compiler}", *cross], check=True)
    subprocess.run(["cmake", "--build", build], check=True)
    told = subprocess.run(["ctest", "-V"], cwd=build, check=True, capture_output=True, text=True).stdout
    assert "PASSED" in told


def test_buffers_must_be_aligned(tmp_path: Path) -> None:
    require(load_target("host").c)
    made = bundle(parse_module(NO_KERNEL, make_context()), "host", tmp_path / "bundle")
    selftest(made, made)
    user = tmp_path / "user.c"
    user.write_text(
        '#include "model.h"\nstatic MODEL_ALIGNED float x[16], y[16];\n'
        "int main(void) { return !(model_run(x, y, 0) == MODEL_OK && model_run(x, y + 1, 0) == MODEL_MISALIGNED); }\n"
    )
    subprocess.run(["cc", str(user), str(made / "libmodel.a"), f"-I{made}", "-o", str(tmp_path / "user")], check=True)
    subprocess.run([str(tmp_path / "user")], check=True)


@pytest.mark.slow
def test_quantize_and_compile_deliver_a_bundle(quantune: Quantune, tmp_path: Path) -> None:
    require(load_target("host").c)
    save_model(dense_layers(2, 16), tmp_path / "m.onnx")
    save_samples(tmp_path / "samples.npz", x=np.random.default_rng(0).random((3, 16), np.float32))
    made = tmp_path / "made"
    arguments = ("--calibration", tmp_path / "samples.npz", "--output", made, "--deliverable", "c-bundle")
    outcome = quantune("quantize", tmp_path / "m.onnx", *arguments, "--name", "tiny")
    assert outcome.status == 0, outcome.stderr
    selftest(made / "c-bundle", tmp_path / "first")
    again = ("compile", made, "--deliverable", "c-bundle", "--name", "tiny", "-o", tmp_path / "again")
    assert quantune(*again).status == 0
    for file in ("tiny.h", "tiny.c", "weights.c", "kernels.o"):
        assert (tmp_path / "again" / file).read_bytes() == (made / "c-bundle" / file).read_bytes(), file
    assert quantune(*again).status != 0, "there is one already"
    told = quantune(*again, "--force", "--json", "-")
    sizes = json.loads(told.stdout)["files"]
    assert sizes == {file.name: file.stat().st_size for file in (tmp_path / "again").iterdir()}
    codes = ("compile", made, "--deliverable", "c-bundle", "--io", "int8", "-o", tmp_path / "codes")
    outcome = quantune(*codes, "--data", tmp_path / "samples.npz", "--vectors", 3)
    assert outcome.status == 0, outcome.stderr
    assert selftest(tmp_path / "codes", tmp_path / "third").count("elements identical") == 3


@pytest.mark.slow
def test_bundle_alone_where_floats_take_routines(quantune: Quantune, tmp_path: Path) -> None:
    target = "riscv32imc"
    require(load_target(target).c)
    save_model(dense_layers(2, 16), tmp_path / "m.onnx")
    save_samples(tmp_path / "samples.npz", x=np.random.default_rng(0).random((3, 16), np.float32))
    made = tmp_path / "made"
    arguments = ("--calibration", tmp_path / "samples.npz", "--output", made, "--target", target, "--no-integer-only")
    refused = quantune("quantize", tmp_path / "m.onnx", *arguments)
    assert "make a C bundle: --deliverable c-bundle" in refused.stderr
    outcome = quantune("quantize", tmp_path / "m.onnx", *arguments, "--deliverable", "c-bundle")
    assert outcome.status == 0, outcome.stderr
    selftest(made / "c-bundle", tmp_path / "build")
    assert not (made / "model.vmfb").exists()
    assert quantune("report", made).status == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--name", "2tiny"), "is no name for a model in C"),
        (("--target", "vmvx"), "is bytecode, of which no object file can be made"),
        (("--max-ram", "16"), "memory: needs 0.0 KiB of RAM besides the stack (arena 0.0 KiB, inputs 0.0 KiB, outputs"),
        (("--max-ram", "16x"), "is no size: write it as 65536, 64KiB, 300KB or 1M"),
    ],
)
def test_what_cannot_be_delivered_is_told(
    arguments: tuple[str, ...], said: str, refused: Callable[..., str], tmp_path: Path
) -> None:
    (tmp_path / "m.mlir").write_text(NO_KERNEL)
    message = refused("compile", tmp_path / "m.mlir", "--deliverable", "c-bundle", "-o", tmp_path / "b", *arguments)
    assert said in message
    assert not (tmp_path / "b").exists()


@pytest.mark.slow
def test_static_library_for_the_runtime(quantune: Quantune, tmp_path: Path) -> None:
    (tmp_path / "m.mlir").write_text(FORMS)
    made = tmp_path / "library"
    assert quantune("compile", tmp_path / "m.mlir", "--deliverable", "static-library", "-o", made).status == 0
    assert sorted(file.name for file in made.iterdir()) == ["kernels.h", "kernels.o", "model.c"]
