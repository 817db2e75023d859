"""Random layers in integers, by IREE and by this project's kernels: bit for bit what Arm's reference model computes."""

from __future__ import annotations

import pytest

from tools.fuzz.integers import problems_of
from tools.tosa_reference import ReferenceModelError, find_tool

pytestmark = pytest.mark.conformance


@pytest.mark.parametrize("kernels", [False, True], ids=["IREE", "kernels"])
def test_random_layers_are_bit_exact(kernels: bool) -> None:
    try:
        find_tool("tosa_reference_model")
    except ReferenceModelError as absent:
        pytest.skip(str(absent))
    assert problems_of(24, range(15), kernels=kernels) == {}
