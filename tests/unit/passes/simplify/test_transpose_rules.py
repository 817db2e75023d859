"""op(transpose(x, p)) == transpose(op'(x), q), of every op that lets a transpose through."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quantune_mlir.mlir.bindings import ir
from quantune_mlir.mlir.permutation import inverse
from quantune_mlir.mlir.tosa import build
from quantune_mlir.mlir.tosa.traits import TRAITS
from quantune_mlir.passes.simplify.transpose_rules import passage
from tests.unit.mlir.tosa.sample_ops import EVALUATED, built, computed, element_types

SHAPE = (2, 3, 5)
PASSED = [name for name in EVALUATED if TRAITS[name].aligned or name in ("tosa.argmax", "tosa.reshape")]


@pytest.mark.parametrize("name", PASSED)
def test_the_rule_holds(name: str) -> None:
    kinds = element_types(name)
    with built(name, *[SHAPE] * len(kinds)) as op:
        operands = list(op.operands)

        @settings(deadline=None, max_examples=30)
        @given(permutation=st.sampled_from(list(permutations(range(3)))), seed=st.integers(0, 1000))
        def holds(permutation: tuple[int, ...], seed: int) -> None:
            random = np.random.default_rng(seed)
            data = [random.integers(0, 2 if kind is np.bool_ else 31, SHAPE).astype(kind) for kind in kinds]
            back = inverse(permutation)
            with ir.InsertionPoint(op), op.location:
                for place in range(len(kinds)):
                    there = build.transpose(operands[place], back)
                    op.operands[place] = build.transpose(there, permutation)
            found = passage(op, permutation)
            if found is None:
                assert name in ("tosa.argmax", "tosa.reshape")
                return
            moved = found.build(op)
            assert moved.verify()
            result = computed(moved, *(x.transpose(back) for x in data)).transpose(found.permutation)
            np.testing.assert_array_equal(result, computed(op, *data))

        holds()
