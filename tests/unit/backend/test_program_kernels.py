"""Kernels compiled one by one are those of the program, whatever they were compiled for and together with."""

from __future__ import annotations

import io
import os
import select
import struct
import subprocess
import sys
import tempfile
from collections.abc import Callable, Generator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from quantune_mlir.backend import compiler, iree_tool, kernel_compiler, kernel_process
from quantune_mlir.backend.compilation import compile_program
from quantune_mlir.backend.compile_cache import CACHE_VARIABLE, user_cache, without_cache
from quantune_mlir.backend.compiler import Source, compile_module, program_kernels
from quantune_mlir.backend.elf_file import read_elf
from quantune_mlir.backend.kernel_compiler import KernelCompiler
from quantune_mlir.backend.kernel_job import KernelJob
from quantune_mlir.backend.kernel_object import kernel_objects
from quantune_mlir.backend.kernel_process import compile_jobs
from quantune_mlir.backend.program import Program
from quantune_mlir.backend.program_kernels import ProgramKernels
from quantune_mlir.errors import CompileError
from quantune_mlir.hardware.targets import load_target
from quantune_mlir.mlir.bindings import ir, make_context
from quantune_mlir.mlir.edit import copy_module
from quantune_mlir.mlir.text import parse_module
from tests.unit.backend.executables import program

HOST = load_target("host")
NAMES = "first", "second"
EXPONENTIAL = """
      %s = llvm.call_intrinsic "llvm.exp.v4f32"(%y) : (vector<4xf32>) -> vector<4xf32>
      vector.store %s, %out[%zero] : memref<4xf32>, vector<4xf32>
"""
LARGE = """
      %c = arith.constant dense<[{numbers}]> : vector<32xf32>
      %l = vector.shuffle %c, %c [{at}, 1, 2, 3] : vector<32xf32>, vector<32xf32>
      %i = hal.interface.workgroup.id[0] : index
      %e = vector.extract %c[%i] : f32 from vector<32xf32>
      %b = vector.broadcast %e : f32 to vector<4xf32>
      %s = arith.addf %b, %l : vector<4xf32>
      vector.store %s, %out[%zero] : memref<4xf32>, vector<4xf32>
"""


class InThisProcess:
    """Compiles kernels at once."""

    def compile(self, job: KernelJob) -> Future[bytes]:
        ((_, answer),) = compile_jobs([job])
        assert isinstance(answer, bytes), answer
        made = Future[bytes]()
        made.set_result(answer)
        return made


def large(first: int) -> str:
    """Code with a constant that LLVM does not merge with others."""
    return LARGE.format(numbers=", ".join(f"{first + i}.0" for i in range(32)), at=first % 7)


@pytest.fixture(autouse=True)
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "cache"))


@pytest.fixture
def jobs(monkeypatch: pytest.MonkeyPatch) -> list[KernelJob]:
    """Those that are sent to be compiled; nobody does."""
    sent: list[KernelJob] = []

    class Sent:
        def compile(self, job: KernelJob) -> object:
            sent.append(job)
            return type("Future", (), {"done": lambda self: False})()

        def hurry(self) -> None:
            pass

    monkeypatch.setattr("quantune_mlir.backend.program_kernels.kernel_compiler", Sent)
    return sent


def taken(module: ir.Module) -> list[str]:
    copy = copy_module(module)
    kernels = program_kernels(HOST, copy.context)
    assert kernels is not None
    kernels.take_all(copy)
    return kernels.names


def objects(jobs: list[KernelJob]) -> Mapping[str, bytes]:
    answers = compile_jobs([replace(job, key=job.name, cache=None) for job in jobs])
    assert all(isinstance(answer, bytes) for _, answer in answers)
    return {key: answer for key, answer in answers if isinstance(answer, bytes)}


def outputs(vmfb: bytes) -> np.ndarray:
    (y,) = Program(vmfb)(np.arange(4, dtype=np.float32))
    return y


def test_programs_give_what_whole_ones_give() -> None:
    module = program(NAMES)
    linked, whole = compile_module(module, HOST), Source(copy_module(module), HOST, whole=True).compile()
    np.testing.assert_array_equal(outputs(linked), outputs(whole))
    np.testing.assert_array_equal(outputs(linked), [0, 4, 16, 36])
    assert linked != whole


def test_a_thousand_object_files_fit_into_the_linkers_command(jobs: list[KernelJob]) -> None:
    """The shell takes 128 KiB in one argument: a DenseNet's run 2 has 1,611 kernels."""
    module = program(NAMES)
    copy = copy_module(module)
    kernels = program_kernels(HOST, copy.context)
    assert kernels is not None
    kernels.take_all(copy)
    assert len(kernels.names) > 1 == str(copy).count("path = ")


def test_a_kernel_is_what_it_does(jobs: list[KernelJob]) -> None:
    first = taken(program(NAMES))
    assert len(set(first)) == 2
    assert taken(program(("other", "names"))) == first
    assert taken(program(NAMES, operations=("mulf", "addf"))) == first[::-1]
    assert taken(program(NAMES, operations=("mulf", "mulf"))) == first[1:]
    assert not set(taken(program(NAMES, operations=("subf", "divf")))) & set(first)
    assert len(jobs) == 9


def test_a_kernel_is_known_by_what_it_was_made_of(jobs: list[KernelJob]) -> None:
    taken(program(NAMES))
    kernels = program_kernels(HOST, make_context())
    assert kernels is not None
    name = kernels.take(jobs[0].code, "parts")
    assert kernels.recall("parts") is None
    compile_jobs(jobs[-1:])
    again = program_kernels(HOST, make_context())
    assert again is not None
    assert (again.recall("parts"), again.recall("other parts"), again.names) == (name, None, [name])
    with without_cache():
        assert again.recall("parts") is None


def test_the_same_bytes_with_an_empty_a_warm_and_a_foreign_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = program(NAMES, large(3))
    with without_cache():
        expected = compile_module(module, HOST)
    assert user_cache().usage().entries == 0
    assert compile_module(module, HOST) == expected, "with an empty cache"
    assert compile_module(module, HOST) == expected, "with the program in the cache"
    for path in user_cache().directory.rglob("*"):
        if path.is_file() and path.read_bytes()[32:34] == b"PK":
            path.unlink()
    assert compile_module(module, HOST) == expected, "with the kernels in the cache"
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "foreign"))
    compile_module(program(("x", "y"), large(3), operations=("subf", "mulf")), HOST)
    compile_module(program(("x", "y"), operations=("addf", "divf")), HOST)
    assert compile_module(module, HOST) == expected, "with kernels that were compiled for others"


@pytest.mark.parametrize("largest", [1, 3, 8])
def test_groups_make_no_difference(largest: int, jobs: list[KernelJob], monkeypatch: pytest.MonkeyPatch) -> None:
    for code in (large(1), large(40), EXPONENTIAL, ""):
        taken(program(NAMES, code))
    different = list({job.name: job for job in jobs}.values())
    assert len(different) == 5
    alone = {name: found for job in different for name, found in objects([job]).items()}
    monkeypatch.setattr(kernel_process, "_LARGEST_GROUP", largest)
    monkeypatch.setattr(kernel_process, "processors", lambda: 1)
    assert objects(different) == alone
    assert objects(different[::-1]) == alone


def test_functions_of_the_c_library_come_along() -> None:
    np.testing.assert_allclose(
        outputs(compile_module(program(NAMES, EXPONENTIAL), HOST)), np.exp([0, 4, 16, 36]), rtol=1e-6
    )


def test_what_iree_computes_itself_finds_the_c_library(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[bool] = []

    def compiled(arguments: Sequence[str], *where: object, **more: object) -> bytes:
        told.append(any(argument.startswith("--iree-llvmcpu-system-linker") for argument in arguments))
        return iree_tool.iree_compile(arguments, *where, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(compiler, "iree_compile", compiled)
    module = program(NAMES)
    text = str(module).replace("return %1", '%2 = "tosa.erf"(%1) : (tensor<4xf32>) -> tensor<4xf32> return %2')
    compile_module(module, HOST)
    assert told == [True], "jumps to kernels call nothing"
    np.testing.assert_allclose(outputs(compile_module(parse_module(text, make_context()), HOST)), [0, 1, 1, 1])
    assert told[-1] is False


def test_a_shell_may_split_the_paths_of_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "it's späce & more"
    folder.mkdir()
    linker = folder / "iree-lld"
    find_tool = iree_tool.find_tool
    linker.symlink_to(find_tool(linker.name))
    monkeypatch.setattr(iree_tool, "find_tool", lambda name: linker if name == linker.name else find_tool(name))
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    module = program(NAMES, EXPONENTIAL)
    monkeypatch.setattr("quantune_mlir.backend.program_kernels.kernel_compiler", InThisProcess)
    linked, whole = compile_module(module, HOST), Source(copy_module(module), HOST, whole=True).compile()
    np.testing.assert_array_equal(outputs(linked), outputs(whole))


def test_nothing_but_the_kernel_is_in_its_object(jobs: list[KernelJob]) -> None:
    (name, *_) = taken(program(NAMES))
    data = objects(jobs[:1])[name]
    file = read_elf(data)
    assert [symbol.name for symbol in file.symbols if symbol.name] == [name]
    assert [section.name for section in file.sections[1:-2]] == [f".text.{name}"]
    assert kernel_objects(data, [name])[name].data == data, "it is taken apart no further"
    with pytest.raises(ValueError, match="the function another"):
        kernel_objects(data, ["another"])
    for damaged in (b"", data[:40], data[: len(data) // 2], b"\0" * len(data), struct.pack("<Q", 1) + data[8:]):
        with pytest.raises(ValueError, match=r"the function kernel|not a 64-bit"):
            kernel_objects(damaged, [name])


def test_altered_objects_are_made_again(monkeypatch: pytest.MonkeyPatch) -> None:
    module = program(NAMES)
    expected = compile_module(module, HOST)
    assert user_cache().usage().entries > 0  # and nothing is being written any more
    for path in user_cache().directory.rglob("*"):
        if path.is_file():
            data = bytearray(path.read_bytes())
            data[len(data) // 2] ^= 1
            path.write_bytes(data)
    assert compile_module(module, HOST) == expected


NO_CODE = """
      %two = arith.constant 2 : index
      %i = hal.interface.workgroup.id[0] : index
      %half = arith.ceildivui %i, %two : index
      vector.store %y, %out[%half] : memref<4xf32>, vector<4xf32>
"""


def test_a_kernel_that_has_no_code_is_an_error() -> None:
    with pytest.raises(CompileError, match=r"kernels cannot be lowered:\n.*\n.*ceildivui"):
        compile_module(program(NAMES, NO_CODE), HOST)


def test_a_kernel_that_has_no_code_does_not_harm_others(jobs: list[KernelJob]) -> None:
    good, bad = taken(program(NAMES, NO_CODE))
    found = dict(compile_jobs([replace(job, key=job.name, cache=None) for job in jobs]))
    assert isinstance(found[good], bytes)
    assert isinstance(found[bad], CompileError)


SUM = """
func.func @main(%x: tensor<64xf32>) -> tensor<64xf32> {
  %y = tosa.reciprocal %x : (tensor<64xf32>) -> tensor<64xf32>
  %z = tosa.add %x, %y : (tensor<64xf32>, tensor<64xf32>) -> tensor<64xf32>
  return %z : tensor<64xf32>
}
"""


def test_kernels_are_sent_as_they_are_written(jobs: list[KernelJob], monkeypatch: pytest.MonkeyPatch) -> None:
    """When the rest of the module is lowered, they are being compiled."""
    before: list[int] = []

    def take_all(self: ProgramKernels, module: ir.Module) -> None:
        before.append(len(jobs))
        raise KeyboardInterrupt

    monkeypatch.setattr(ProgramKernels, "take_all", take_all)
    with pytest.raises(KeyboardInterrupt):
        compile_program(parse_module(SUM, make_context()), HOST)
    assert before == [1]


def test_progress_counts_kernels_that_are_compiled() -> None:
    told: list[int] = []

    @contextmanager
    def compiling(kernels: int) -> Generator[Callable[[], None]]:
        told.append(kernels)
        yield lambda: told.append(1)

    module = program(NAMES)
    Source(copy_module(module), HOST).compile(compiling)
    assert told == [2, 1, 1]
    Source(copy_module(module), HOST).compile(compiling)
    assert told == [2, 1, 1], "nothing is compiled"


def test_the_process_is_started_again_after_a_crash() -> None:
    first = kernel_compiler.kernel_compiler()
    assert kernel_compiler.kernel_compiler() is first
    first.process.kill()
    first.process.wait()
    np.testing.assert_array_equal(outputs(compile_module(program(NAMES), HOST)), [0, 4, 16, 36])
    assert kernel_compiler.kernel_compiler() is not first


def test_a_crash_is_an_error(jobs: list[KernelJob]) -> None:
    taken(program(NAMES))
    compiler = KernelCompiler()
    made, other = (compiler.compile(job) for job in jobs)
    compiler.process.kill()
    for future in (made, other, compiler.compile(jobs[0])):
        with pytest.raises(CompileError, match=r"what compiles kernels crashed \(SIGKILL\)"):
            future.result(timeout=60)


def test_no_process_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/absent/python")
    with pytest.raises(CompileError, match="what compiles kernels cannot be started: No such file"):
        KernelCompiler()


def test_a_signal_that_comes_too_early_does_not_leave_the_process_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "kill", lambda *_: None)
    jobs = kernel_process.Jobs()
    jobs.receive(io.BytesIO())
    with pytest.raises(SystemExit):
        jobs.next()


def test_the_process_ends_with_the_one_that_is_killed() -> None:
    script = (
        "from quantune_mlir.backend.kernel_compiler import kernel_compiler; import time\n"
        "print(kernel_compiler().process.pid, flush=True); time.sleep(600)"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        child = os.pidfd_open(int(parent.stdout.readline()))
        parent.kill()
    try:
        assert select.select([child], [], [], 60)[0], "it is still there"
    finally:
        os.close(child)
