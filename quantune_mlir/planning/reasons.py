"""A decision in words."""

from __future__ import annotations

from quantune_mlir.numerics.metrics import decibels
from quantune_mlir.planning.decisions import Decision, Ground
from quantune_mlir.planning.front import Problem


def reason(decision: Decision, problem: Problem) -> str:
    """Why a layer has its precision, in numbers."""
    match decision.ground:
        case Ground.WITHOUT_INT8 | Ground.GIVEN:
            return decision.named
        case Ground.KEPT:
            return f"matches --keep-fp32 {decision.named!r}"
        case Ground.THROUGHOUT:
            return f"the policy is {decision.precision} throughout"
        case Ground.NOISELESS:
            return "fp32 throughout is within the budget, and the only plan without noise"
        case Ground.INPUTS:
            return "all its inputs are fp32: int8 would only add a boundary"
        case Ground.READERS:
            return "feeds fp32 layers only: int8 would only add a boundary"
        case Ground.NEIGHBOUR:
            return (
                f"no slower in {decision.precision}, since {decision.named!r} is: in int8 it would only add a boundary"
            )
        case Ground.BUYS | Ground.QUIET:
            return _weighed(decision, problem)


def _weighed(decision: Decision, problem: Problem) -> str:
    price = _of_int8(decision.extra_time or 0.0, problem)
    if decision.ground is Ground.QUIET:
        share = 100 * (decision.brings or 0.0) / problem.noise if problem.noise else 0.0
        return (
            f"{_digits(share)} % of the noise that {problem.formats[0]} throughout is predicted to have at the output; "
            f"{problem.finest} would take {price}"
        )
    before, after = decibels(decision.noise_int8 or 0.0), decibels(decision.noise_fp32 or 0.0)
    return (
        f"adds the {_ordinal(decision.rank or 0)} most noise to the output; keeping it {decision.precision} raises the "
        f"predicted output SQNR from {before:.1f} to {after:.1f} dB and takes {price}"
    )


def _of_int8(time: float, problem: Problem) -> str:
    """A difference in time, beside that of all int8."""
    share = 100 * time / problem.start.time if problem.start.time else 0.0
    difference = f"{_digits(abs(share))} % {'more' if share > 0 else 'less'}" if share else "no more"
    return f"{difference} time than {problem.formats[0]} throughout"


def _digits(percent: float) -> str:
    return f"{percent:.0f}" if percent >= 10 else f"{percent:.2g}"


def _ordinal(number: int) -> str:
    suffix = "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{suffix}"
