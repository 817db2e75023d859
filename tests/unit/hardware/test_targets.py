from __future__ import annotations

from pathlib import Path

import pytest

from quantune_mlir.errors import TargetError
from quantune_mlir.files import resources
from quantune_mlir.hardware.memory import Memory
from quantune_mlir.hardware.targets import isa_defaults, load_target
from quantune_mlir.kernels.emit.convolution_shapes import ConvolutionShape
from quantune_mlir.kernels.isa.by_name import ISAS, kernel_isa
from quantune_mlir.kernels.tiling.tiles import choose_tile, choose_workgroup, scratch_bytes


@pytest.mark.parametrize("name", resources.targets())
def test_described_targets_say_what_they_are(name: str) -> None:
    target = load_target(name)
    assert target.name == name
    assert target.c.board is None or not target.c.hosted


def test_a_file_of_ones_own(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text('description = "mine"\nisa = "mve"\nram = 65536\n\n[c]\ncompiler = "gcc"\n')
    target = load_target(str(file))
    assert (target.name, target.isa, target.ram, target.c.compiler) == ("mine", "mve", 65536, "gcc")


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ('description = "x"\nisa = "mvv"\n', ":2", "isa: Input should be"),
        ('description = "x"\n\n[c]\nborad = "a"\n', ":4", "c.borad: there is no such key"),
        ('borad = "a"\ndescription = "x"\n[c]\n', ":1", "borad: there is no such key"),
        ('isa = "mve"\n', "", "description: Field required"),
        ('description = "x\n', "", "is no TOML: Illegal character"),
        ('description = "x"\nstack = -1\n', ":2", "stack: Input should be greater"),
        ('description = "x"\n[memory]\nl1 = "much"\n', ":3", "memory.l1: Input should be a valid integer"),
        ('description = "x"\n[throughput]\ndense_int4 = 1\n', ":3", "throughput.dense_int4: there is no such key"),
        ('description = "x"\nmemory = 3\n', ":2", "memory: Input should be a valid dictionary"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(text: str, line: str, said: str, tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(text)
    with pytest.raises(TargetError) as refused:
        load_target(str(file))
    assert refused.value.where == f"{file}{line}"
    assert refused.value.what.startswith(said)


def test_a_target_overrides_what_those_of_its_instruction_set_share(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(
        'description = "mine"\nisa = "armv8"\nstack = 65536\n[memory]\nl1 = 65536\n[throughput]\ncache = 0\n'
    )
    target, shared = load_target(str(file)), load_target("cortex-a53")
    assert target.memory == shared.memory.model_copy(update={"l1": 65536, "scratch": 32768})
    assert target.throughput == shared.throughput.model_copy(update={"cache": 0})
    assert target.registers == shared.registers


def test_kernels_keep_no_more_in_registers_than_there_are() -> None:
    for name, isa in ISAS.items():
        steps = [step for step in (isa.int8, isa.fp32, isa.int8_words) if step is not None]
        assert all(step.registers <= isa_defaults(name)["registers"] for step in steps), name


def test_small_caches_make_small_workgroups() -> None:
    shape = ConvolutionShape(1, 58, 58, 64, 56, 56, 64, (3, 3), (1, 1), (1, 1), (0, 0))

    def packed(memory: Memory) -> int:
        step = kernel_isa("armv8", memory).int8
        group = choose_workgroup(shape, step, choose_tile(shape, step, packed=True), packed=True)
        assert group is not None
        return scratch_bytes(shape, step, group.rows, group.columns)

    large = load_target("cortex-a53").memory
    assert packed(large.model_copy(update={"l1": 8192, "scratch": 8192})) <= 8192 < packed(large)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(TargetError, match="cannot be read"):
        load_target(str(tmp_path / "mine.toml"))
