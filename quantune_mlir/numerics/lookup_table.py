"""Look-up tables for elementwise functions, in the order of TOSA TABLE: 256 entries for int8, 513 for int16."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from quantune_mlir.numerics.parameters import QMAX, QMIN, QuantParams

STEPS_BETWEEN: Final = 128
"""Codes of int16 from one entry of a table to the next; what is between is interpolated, in units of 1 / 128."""
_STEEPEST: Final = 2**15 - 1
IDENTITY: Final = np.arange(QMIN, QMAX + 1, dtype=np.int8)
"""The table of int8 that changes nothing."""
Function = Callable[[NDArray[np.float64]], NDArray[np.float64]]


def lookup_table(
    function: Function,
    input_params: QuantParams,
    output_params: QuantParams,
) -> NDArray[np.int8]:
    """int8[256]: entry q + 128 is `function` of the real value of q, quantized; computed in double precision.

    Infinities saturate.

    Raises:
        ValueError: the function is NaN, or not elementwise, at some representable input.
    """
    codes = np.arange(QMIN, QMAX + 1, dtype=np.float64)
    return _entries(function, codes, input_params, output_params).astype(np.int8)


def interpolated_table(function: Function, input_params: QuantParams, output_params: QuantParams) -> NDArray[np.int16]:
    """int16[513]: entry i is `function` of the real value of the code 128 i - 32768, quantized.

    TOSA asks of neighbours that they differ by less than 2^15: where they do not, the later one is brought nearer.

    Raises:
        ValueError: as `lookup_table` does.
    """
    first, end = input_params.qmin, input_params.qmax + 1
    codes = np.arange(first, end + 1, STEPS_BETWEEN, dtype=np.float64)
    entries = _entries(function, codes, input_params, output_params)
    for i in range(1, entries.size):
        entries[i] = np.clip(entries[i], entries[i - 1] - _STEEPEST, entries[i - 1] + _STEEPEST)
    return entries.astype(np.int16)


def _entries(
    function: Function, codes: NDArray[np.float64], input_params: QuantParams, output_params: QuantParams
) -> NDArray[np.float64]:
    with np.errstate(over="ignore", under="ignore", divide="ignore", invalid="ignore"):
        values = np.asarray(function((codes - input_params.zero_point) * input_params.scale), np.float64)
    if values.shape != codes.shape or np.isnan(values).any():
        raise ValueError("the function of a look-up table must give one number, not NaN, for each input")
    quantized = np.rint(values / output_params.scale + output_params.zero_point)
    return np.clip(quantized, output_params.qmin, output_params.qmax)
