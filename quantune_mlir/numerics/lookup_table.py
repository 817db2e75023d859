"""256-entry look-up tables for elementwise int8 functions, in the order of TOSA TABLE."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from quantune_mlir.numerics.parameters import QMAX, QMIN, QuantParams


def lookup_table(
    function: Callable[[NDArray[np.float64]], NDArray[np.float64]],
    input_params: QuantParams,
    output_params: QuantParams,
) -> NDArray[np.int8]:
    """int8[256]: entry q + 128 is `function` of the real value of q, quantized; computed in double precision.

    Infinities saturate.

    Raises:
        ValueError: the function is NaN, or not elementwise, at some representable input.
    """
    codes = np.arange(QMIN, QMAX + 1, dtype=np.float64)
    with np.errstate(over="ignore", under="ignore", divide="ignore", invalid="ignore"):
        values = np.asarray(function((codes - input_params.zero_point) * input_params.scale), np.float64)
    if values.shape != codes.shape or np.isnan(values).any():
        raise ValueError("the function of a look-up table must give one number, not NaN, for each input")
    quantized = np.rint(values / output_params.scale + output_params.zero_point)
    return np.clip(quantized, output_params.qmin, output_params.qmax).astype(np.int8)
