"""The integer oracle for tests: Arm's TOSA reference model, or a skip that says how to install it.

What modules it takes, and what it makes of them, is told in tools/tosa_reference.py.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pytest

from tools import tosa_reference


def run_reference(module_text: str, inputs: Sequence[npt.NDArray[np.generic]]) -> list[npt.NDArray[np.generic]]:
    """Run a pure TOSA module on the reference model; skips the test if tosa-tools is not installed.

    Raises:
        ReferenceModelError: the model refuses the module; the message holds what it said.
        ValueError: the inputs do not fit the module's function.
    """
    try:
        tosa_reference.find_tool("tosa_reference_model")
    except tosa_reference.ReferenceModelError as absent:
        pytest.skip(str(absent))
    return tosa_reference.run_reference(module_text, inputs)
