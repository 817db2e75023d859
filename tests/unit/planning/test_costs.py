from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quantune_mlir.numerics.formats import FP32, INT8
from quantune_mlir.planning.costs import Cost, CostModel, Ledger, Reader, Stream
from quantune_mlir.planning.front import Problem
from tests.unit.planning.problems import problems

COSTS = {name: {INT8: Cost(10, 1), FP32: Cost(30, 4)} for name in ("a", "b", "sum")}


def model(*readers: Reader) -> CostModel:
    return CostModel(COSTS, [Stream("a", readers, 7.0)], Cost(5, 0), "µs")


def conversions(costs: CostModel, *fp32: str) -> float:
    return costs.total(dict.fromkeys(fp32, FP32)).time - 5 - 30 - 20 * len(fp32)


def test_a_value_read_in_one_precision_is_converted_by_the_op_that_makes_it() -> None:
    costs = model(Reader("b", False))
    assert [conversions(costs, *fp32) for fp32 in ([], ["a"], ["b"], ["a", "b"])] == [0, 0, 0, 0]


def test_a_value_read_in_both_precisions_is_converted_once_more() -> None:
    costs = model(Reader("b", False), Reader("sum", False))
    assert conversions(costs, "b") == 7
    assert conversions(costs, "a", "sum") == 7
    assert conversions(costs, "b", "sum") == 0


def test_element_wise_readers_convert_as_they_read() -> None:
    costs = model(Reader("b", False), Reader("sum", True))
    assert conversions(costs, "sum") == 0, "the sum reads int8, and converts"
    assert conversions(costs, "b") == 7, "the convolution needs fp32, the sum reads int8"
    assert conversions(costs, "a", "b") == 0


def test_layers_without_a_choice_are_fp32() -> None:
    costs = CostModel(COSTS, [Stream("%input", (Reader("a", False), Reader("softmax", False)), 7.0)], Cost(5), "µs")
    assert conversions(costs) == 7
    assert conversions(costs, "a") == 0


@given(problems(), st.data())
def test_prices_add_up_in_any_order(problem: Problem, data: st.DataObject) -> None:
    names = data.draw(st.permutations([layer.name for layer in problem.layers]))
    chosen = names[: data.draw(st.integers(0, len(names)))]
    ledger = Ledger(problem.costs)
    for name in chosen:
        before, price = ledger.total, ledger.price(name)
        ledger.move(name)
        assert ledger.total == before + price
    assert ledger.total.time == pytest.approx(problem.costs.total(dict.fromkeys(sorted(chosen), FP32)).time)


def test_moving_a_layer_twice_costs_once() -> None:
    ledger = Ledger(model(Reader("b", False)))
    ledger.move("a")
    total = ledger.total
    ledger.move("a")
    assert ledger.total == total
