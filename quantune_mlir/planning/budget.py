"""Budgets: what a plan has to reach, and what it may cost."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from quantune_mlir.errors import PlanError
from quantune_mlir.numerics.metrics import decibels
from quantune_mlir.planning.front import Point, Problem

_NUMBER: Final = r"(\d+(?:\.\d*)?|\.\d+)"
_MICROSECONDS: Final = {"us": 1.0, "µs": 1.0, "ms": 1e3, "s": 1e6}
_BYTES: Final = {"b": 1.0, "kb": 1e3, "mb": 1e6, "kib": 1024.0, "mib": 1024.0**2}


@dataclass(frozen=True)
class Limit:
    """A limit of time (µs) or size (bytes), or one relative to fp32 throughout."""

    value: float
    relative: bool
    text: str

    @staticmethod
    def of_time(text: str) -> Limit:
        """`5ms`, `300us` or `0.5x`. Raises PlanError for anything else."""
        return _limit(text, _MICROSECONDS, "--max-latency", "5ms, 300us, or 0.5x for half the time of fp32")

    @staticmethod
    def of_size(text: str) -> Limit:
        """`300KB`, `1.5MiB` or `0.5x`. Raises PlanError for anything else."""
        return _limit(text, _BYTES, "--max-size", "300KB, 1.5MiB, or 0.5x for half the size of fp32")

    def __str__(self) -> str:
        return self.text

    def against(self, fp32: float) -> float:
        """The limit as a number, given what fp32 throughout has."""
        return self.value * fp32 if self.relative else self.value


@dataclass(frozen=True)
class Budget:
    """What a plan has to keep to; None: no limit.

    Attributes:
        min_sqnr_db: least predicted SQNR at the output.
        max_time: of one inference.
        max_size: of the constants.
    """

    min_sqnr_db: float | None = None
    max_time: Limit | None = None
    max_size: Limit | None = None

    def __str__(self) -> str:
        limits = (
            None if self.min_sqnr_db is None else f"min_sqnr {self.min_sqnr_db:g} dB",
            None if self.max_time is None else f"max_latency {self.max_time}",
            None if self.max_size is None else f"max_size {self.max_size}",
        )
        return ", ".join(limit for limit in limits if limit)

    @property
    def asked(self) -> str:
        """The limits as options of the command line."""
        options = (
            ("--min-sqnr", None if self.min_sqnr_db is None else f"{self.min_sqnr_db:g}"),
            ("--max-latency", self.max_time),
            ("--max-size", self.max_size),
        )
        return " ".join(f"{name} {value}" for name, value in options if value is not None)

    def choose(self, front: Sequence[Point], problem: Problem) -> Point:
        """The quickest point of a front that has the SQNR asked for; without one, that with the least noise.

        Raises:
            PlanError: no point keeps to the budget; with the nearest.
        """
        if self.max_time is not None and not self.max_time.relative and problem.costs.unit != "µs":
            raise PlanError(
                "how long this target takes is not known in seconds, only relative to fp32",
                where="--max-latency",
                remedy="give it as 0.5x, half the time of fp32",
            )
        cheap = [point for point in front if self.allows(point, problem)]
        if not cheap:
            nearest = min(front, key=lambda point: (self._excess(point, problem), point.noise))
            raise self._unmet(nearest, problem)
        if self.min_sqnr_db is None:
            return min(cheap, key=lambda point: (point.noise, point.cost.time))
        good = [point for point in cheap if decibels(point.noise) >= self.min_sqnr_db]
        if not good:
            nearest = min(cheap, key=lambda point: (point.noise, point.cost.time))
            raise self._unmet(nearest, problem)
        return min(good, key=lambda point: (point.cost.time, point.noise))

    def _unmet(self, nearest: Point, problem: Problem) -> PlanError:
        what = f"no plan keeps to {self.asked}"
        return PlanError(what, remedy=f"the nearest one has {describe(nearest, problem)}")

    def allows(self, point: Point, problem: Problem) -> bool:
        """Whether a point keeps to the limits of time and size."""
        return self._excess(point, problem) <= 1

    def _excess(self, point: Point, problem: Problem) -> float:
        """By what factor a point is above its limits; at most 1 within them."""
        cost, fp32 = point.cost, problem.end
        pairs = ((self.max_time, cost.time, fp32.time), (self.max_size, cost.size, fp32.size))
        factors = [used / max(limit.against(whole), 1e-12) for limit, used, whole in pairs if limit is not None]
        return max(factors, default=0.0)


def describe(point: Point, problem: Problem) -> str:
    """What a point is predicted to have."""
    cost, fp32 = point.cost, problem.end
    time = f"{cost.time / fp32.time:.2f} of the time of fp32" if fp32.time else "no time"
    if problem.costs.unit == "µs":
        time = f"{cost.time / 1e3:.3g} ms ({time})"
    return f"{decibels(point.noise):.1f} dB, {time}, {_as_bytes(cost.size)} of constants"


def _as_bytes(size: float) -> str:
    """A size for people."""
    return f"{size / 1024:.0f} KiB" if size < 1024 * 1024 else f"{size / 1024 / 1024:.2f} MiB"


def _limit(text: str, units: dict[str, float], where: str, examples: str) -> Limit:
    found = re.fullmatch(_NUMBER + r"\s*([a-zµ]+)", text.strip().lower())
    unit = found.group(2) if found else ""
    if found is None or unit not in {*units, "x"} or float(found.group(1)) <= 0:
        raise PlanError("not a limit", where=f"{where} {text}", remedy=f"write it as {examples}")
    relative = unit == "x"
    return Limit(float(found.group(1)) * (1.0 if relative else units[unit]), relative, text.strip())
