from __future__ import annotations

import math

import numpy as np
import pytest

from quantune_mlir.backend.compiler import compile_bytes
from quantune_mlir.backend.program import Program
from quantune_mlir.hardware.host_isa import host_flags
from quantune_mlir.hardware.targets import load_target
from tools.isa_peak import INSTRUCTIONS, Instruction, measured_peaks

STEPS = 1000


def expected(instruction: Instruction) -> np.ndarray:
    """The sums after STEPS steps."""
    factors, sums = instruction.operands()
    if instruction.name == "vpmaddwd_ymm":
        for _ in range(STEPS):
            sums = sums + sums.view(np.int16).astype(np.int32).reshape(*sums.shape, 2).sum(-1, dtype=np.int32)
        return sums
    products_of_each_sum = factors.shape[1] // sums.shape[1]
    return sums + np.array(products_of_each_sum * STEPS, sums.dtype)


@pytest.mark.parametrize("instruction", INSTRUCTIONS, ids=lambda instruction: instruction.name)
def test_the_loop_does_all_its_work(instruction: Instruction) -> None:
    if instruction.feature not in host_flags():
        pytest.skip(f"this CPU has no {instruction.feature}")
    module = instruction.module(STEPS).encode()
    program = Program(compile_bytes(module, load_target(instruction.target)))
    np.testing.assert_array_equal(program(*instruction.operands())[0], expected(instruction))


def test_peaks_are_positive_numbers() -> None:
    peaks = measured_peaks(seconds=0.05)
    features = host_flags()
    assert list(peaks) == [one.name for one in INSTRUCTIONS if one.feature in features]
    assert all(math.isfinite(peak) and peak > 0 for peak in peaks.values())
