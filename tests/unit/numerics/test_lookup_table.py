from __future__ import annotations

import numpy as np
import pytest

from quantune_mlir.numerics.lookup_table import lookup_table
from quantune_mlir.numerics.parameters import QuantParams, activation_params, dequantize, quantize
from quantune_mlir.numerics.schemes import Scheme

CODES = np.arange(-128, 128).astype(np.int8)


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


@pytest.mark.parametrize("function", [sigmoid, np.tanh], ids=["sigmoid", "tanh"])
def test_entry_q_plus_128_is_the_function_of_q(function) -> None:
    inputs = activation_params(-6.0, 5.0, Scheme.ASYMMETRIC)
    outputs = activation_params(-1.0, 1.0, Scheme.ASYMMETRIC)
    table = lookup_table(function, inputs, outputs)
    assert table.dtype == np.int8 and table.shape == (256,)
    restored = dequantize(table, outputs)
    np.testing.assert_allclose(restored, function(dequantize(CODES, inputs)), atol=outputs.scale * 0.501)
    values = np.linspace(-6, 5, 1000).astype(np.float32)
    looked_up = table[quantize(values, inputs).astype(int) + 128]
    assert (np.diff(looked_up.astype(int)) >= 0).all()


def test_identity_is_the_codes_themselves() -> None:
    params = QuantParams(0.5, 3)
    np.testing.assert_array_equal(lookup_table(lambda x: x, params, params), CODES)


def test_infinities_saturate_and_nan_is_refused() -> None:
    params = QuantParams(1.0)
    assert lookup_table(lambda x: 1 / x, params, params)[128] == 127
    with pytest.raises(ValueError, match="NaN"):
        lookup_table(np.log, params, params)
    with pytest.raises(ValueError, match="one number"):
        lookup_table(lambda x: x[:3], params, params)
