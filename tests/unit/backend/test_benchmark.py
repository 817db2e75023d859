from __future__ import annotations

import os
import time

import numpy as np
import pytest

from quantune_mlir.backend import benchmark
from quantune_mlir.backend.benchmark import Latency, Ratio, Runner, measure, pinned, repeated
from quantune_mlir.backend.compiler import compile_bytes
from quantune_mlir.backend.program import Program
from quantune_mlir.errors import DataError
from quantune_mlir.hardware.targets import load_target

TWO_RESULTS = b"""
func.func @main(%a: tensor<4xf32>, %b: tensor<4xi32>) -> (tensor<4xf32>, tensor<4xi32>) {
  %0 = arith.addf %a, %a : tensor<4xf32>
  return %0, %b : tensor<4xf32>, tensor<4xi32>
}
"""


def fake(seconds: float, log: list[tuple[str, int]], name: str) -> Runner:
    """A program that says that each call takes so long, and does nothing."""

    def run(calls: int) -> float:
        log.append((name, calls))
        return seconds * calls

    return run


def test_latency_is_in_milliseconds() -> None:
    latency = Latency.of(np.linspace(0.001, 0.011, 11))
    assert (latency.median_ms, latency.p10_ms, latency.p90_ms, latency.runs) == pytest.approx((6, 2, 10, 11))


def test_ratio_is_taken_in_each_round() -> None:
    ours, theirs = np.array([1.0, 2.0, 4.0]), np.array([1.0, 1.0, 8.0])
    ratio = Ratio.of(ours, theirs)
    assert ratio.median == 1.0 != np.median(ours) / np.median(theirs)
    assert (ratio.p10, ratio.p90) == pytest.approx((0.6, 1.8))


def test_every_program_has_one_turn_a_round() -> None:
    log: list[tuple[str, int]] = []
    rounds: list[int] = []
    slow = benchmark.COLD_SECONDS * 2
    times = measure(
        {"a": fake(slow, log, "a"), "b": fake(slow, log, "b")}, seconds=0, on_round=lambda: rounds.append(1)
    )
    assert [len(times["a"]), len(times["b"]), len(rounds)] == [benchmark.MIN_ROUNDS] * 3
    turns = [name for name, _ in log[-2 * benchmark.MIN_ROUNDS :]]
    assert turns == ["a", "b"] * benchmark.MIN_ROUNDS


def test_quick_programs_are_called_in_a_row_after_an_untimed_call() -> None:
    log: list[tuple[str, int]] = []
    times = measure({"quick": fake(benchmark.TURN_SECONDS / 8, log, "quick")}, seconds=0)
    assert [calls for _, calls in log[-4:]] == [1, 8, 1, 8]
    np.testing.assert_allclose(times["quick"], benchmark.TURN_SECONDS / 8)


def test_very_slow_programs_are_warmed_up_once() -> None:
    log: list[tuple[str, int]] = []
    measure({"slow": fake(benchmark.WARM_UP_SECONDS * 2, log, "slow")}, seconds=0)
    assert log == [("slow", 1)] * (1 + benchmark.MIN_ROUNDS)


def test_repeated_calls_as_often_as_asked() -> None:
    calls: list[int] = []
    assert repeated(lambda: calls.append(1))(5) > 0
    assert len(calls) == 5


def test_a_threads_clock_leaves_out_when_it_waits() -> None:
    waits = repeated(lambda: time.sleep(0.2), time.thread_time)
    assert waits(1) < 0.1


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="the system does not bind processes to CPUs")
def test_pinned_binds_and_releases() -> None:
    before = os.sched_getaffinity(0)
    with pinned(1) as cpus:
        assert os.sched_getaffinity(0) == set(cpus) == {min(before)}
    assert os.sched_getaffinity(0) == before


@pytest.mark.parametrize("device", ["local-sync", "local-task"])
def test_a_bound_program_takes_any_dtypes_and_gives_several_results(device: str) -> None:
    program = Program(compile_bytes(TWO_RESULTS, load_target("host")), device=device)
    call = program.bound(np.ones(4, np.float32), np.ones(4, np.int32))
    for _ in range(3):
        call()


def test_a_bound_program_refuses_other_inputs() -> None:
    program = Program(compile_bytes(TWO_RESULTS, load_target("host")))
    with pytest.raises(DataError, match="refuses its inputs"):
        program.bound(np.ones(5, np.float32), np.ones(4, np.int32))
