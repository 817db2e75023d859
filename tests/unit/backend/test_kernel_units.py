"""Kernels compiled one by one are those of the program, whatever they were compiled for and together with."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest

from quantune_mlir.backend import compiler, kernel_compiler
from quantune_mlir.backend.compile_cache import CACHE_VARIABLE, user_cache, without_cache
from quantune_mlir.backend.compiler import Source, compile_module
from quantune_mlir.backend.elf_file import read_elf
from quantune_mlir.backend.executable_sources import ExecutableVariant
from quantune_mlir.backend.kernel_compiler import make_objects
from quantune_mlir.backend.kernel_object import kernel_object
from quantune_mlir.backend.kernel_units import take_kernels
from quantune_mlir.backend.program import Program
from quantune_mlir.errors import CompileError
from quantune_mlir.hardware.targets import load_target
from quantune_mlir.mlir.bindings import ir
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


def large(first: int) -> str:
    """Code with a constant that LLVM does not merge with others."""
    return LARGE.format(numbers=", ".join(f"{first + i}.0" for i in range(32)), at=first % 7)


@pytest.fixture(autouse=True)
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "cache"))


@pytest.fixture(scope="module")
def variant() -> ExecutableVariant:
    return ExecutableVariant.of(
        parse_module(compiler._probe(HOST.name, tuple(HOST.compile_flags())), program(NAMES).context)
    )


def taken(module: ir.Module, variant: ExecutableVariant, folder: Path) -> list[str]:
    folder.mkdir(exist_ok=True)
    return take_kernels(copy_module(module), variant, folder)


def objects(names: list[str], folder: Path) -> dict[str, bytes]:
    with without_cache():
        make_objects(names, folder, HOST)
    return {name: (folder / f"{name}.o").read_bytes() for name in names}


def outputs(vmfb: bytes) -> np.ndarray:
    (y,) = Program(vmfb)(np.arange(4, dtype=np.float32))
    return y


def test_programs_give_what_whole_ones_give() -> None:
    module = program(NAMES)
    linked, whole = compile_module(module, HOST), Source(copy_module(module), HOST, whole=True).compile()
    np.testing.assert_array_equal(outputs(linked), outputs(whole))
    np.testing.assert_array_equal(outputs(linked), [0, 4, 16, 36])
    assert linked != whole


def test_a_kernel_is_what_it_does(variant: ExecutableVariant, tmp_path: Path) -> None:
    first = taken(program(NAMES), variant, tmp_path)
    assert len(set(first)) == 2
    assert taken(program(("other", "names")), variant, tmp_path) == first
    assert taken(program(NAMES, operations=("mulf", "addf")), variant, tmp_path) == first[::-1]
    assert taken(program(NAMES, operations=("mulf", "mulf")), variant, tmp_path) == first[1:]
    assert not set(taken(program(NAMES, operations=("subf", "divf")), variant, tmp_path)) & set(first)


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
def test_groups_make_no_difference(
    largest: int, variant: ExecutableVariant, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    codes = [large(first) for first in (1, 40)] + [EXPONENTIAL, ""]
    names = list(dict.fromkeys(name for code in codes for name in taken(program(NAMES, code), variant, tmp_path)))
    assert len(names) == 5
    alone = {name: found for name in names for found in objects([name], tmp_path).values()}
    monkeypatch.setattr(kernel_compiler, "_LARGEST_GROUP", largest)
    monkeypatch.setattr("os.cpu_count", lambda: 1)
    assert objects(names, tmp_path) == alone
    assert objects(names[::-1], tmp_path) == alone


def test_functions_of_the_c_library_come_along() -> None:
    np.testing.assert_allclose(
        outputs(compile_module(program(NAMES, EXPONENTIAL), HOST)), np.exp([0, 4, 16, 36]), rtol=1e-6
    )


def test_nothing_but_the_kernel_is_in_its_object(variant: ExecutableVariant, tmp_path: Path) -> None:
    (name, *_) = taken(program(NAMES), variant, tmp_path)
    data = objects([name], tmp_path)[name]
    file = read_elf(data)
    assert [symbol.name for symbol in file.symbols if symbol.name] == [name]
    assert [section.name for section in file.sections[1:-2]] == [f".text.{name}"]
    assert kernel_object(data, name).data == data, "it is taken apart no further"
    with pytest.raises(ValueError, match="the function another"):
        kernel_object(data, "another")
    for damaged in (b"", data[:40], data[: len(data) // 2], b"\0" * len(data), struct.pack("<Q", 1) + data[8:]):
        with pytest.raises(ValueError, match=r"the function kernel|not a 64-bit"):
            kernel_object(damaged, name)


def test_altered_objects_are_made_again(monkeypatch: pytest.MonkeyPatch) -> None:
    module = program(NAMES)
    expected = compile_module(module, HOST)
    for path in user_cache().directory.rglob("*"):
        if path.is_file():
            data = bytearray(path.read_bytes())
            data[len(data) // 2] ^= 1
            path.write_bytes(data)
    assert compile_module(module, HOST) == expected


def test_a_kernel_that_has_no_code_is_an_error() -> None:
    code = """
      %two = arith.constant 2 : index
      %i = hal.interface.workgroup.id[0] : index
      %half = arith.ceildivui %i, %two : index
      vector.store %y, %out[%half] : memref<4xf32>, vector<4xf32>
"""
    with pytest.raises(CompileError, match=r"kernels cannot be lowered:\n.*\n.*ceildivui"):
        compile_module(program(NAMES, code), HOST)
