"""Grouped convolutions as ordinary ones."""

from __future__ import annotations

import numpy as np
import pytest

from quantune_mlir.mlir.tosa.channel_groups import groups_of, spread_groups


@pytest.mark.parametrize(("groups", "outputs", "inputs"), [(1, 6, 4), (2, 3, 5), (4, 2, 1), (6, 1, 2)])
def test_groups_are_found_again(groups: int, outputs: int, inputs: int) -> None:
    weights = np.random.default_rng(0).standard_normal((groups * outputs, 3, 2, inputs))
    spread = spread_groups(weights, groups)
    assert spread.shape == (groups * outputs, 3, 2, groups * inputs)
    assert groups_of(spread) == groups
    for group in range(groups):
        own = spread[group * outputs : (group + 1) * outputs, ..., group * inputs : (group + 1) * inputs]
        np.testing.assert_array_equal(own, weights[group * outputs : (group + 1) * outputs])


def test_one_weight_between_groups_joins_them() -> None:
    spread = spread_groups(np.ones((8, 1, 1, 2)), 4)
    spread[2, 0, 0, 1] = 1  # from the first group to the second
    assert groups_of(spread) == 2
