"""The front: plans of which none is quicker, smaller and less noisy than another.

Candidates are the prefixes of a few lists of layers: sorted by what they buy, but also all that has no
multiply-accumulates first, and the network from its front or from its end, with and without that. Layers move from the
coarsest format to the finest one by one, or first all of them to a format between, and each takes along the neighbours
that are no slower there once it is: so no boundary is left that costs more than it returns.
Everything is O(n log n) in the number of layers of a network whose values have a bounded number of readers.
"""

from __future__ import annotations

import math
from bisect import bisect_left, insort
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from quantune_mlir.numerics.formats import FP32, INT8, NumberFormat
from quantune_mlir.planning.costs import Cost, CostModel, Ledger
from quantune_mlir.planning.noise_model import NoiseLedger, NoiseModel
from quantune_mlir.planning.sensitivity import LayerSensitivity


@dataclass(frozen=True)
class Problem:
    """What there is to decide.

    Attributes:
        layers: those that may be either, in the order of the sensitivity list.
        noise_model: of the whole network.
        costs: of the whole network.
        kept: layers that are fp32 whatever is decided.
        in_order: whether layers may become fp32 in the order of `layers` only.
        formats: what the layers may be in, from the coarsest to the finest, which is fp32 as a rule.
        tail: those of the layers after which there are no multiply-accumulates, the last first, each with those that
            read it.
    """

    layers: Sequence[LayerSensitivity]
    noise_model: NoiseModel
    costs: CostModel
    kept: Collection[str] = ()
    in_order: bool = False
    formats: tuple[NumberFormat, ...] = (INT8, FP32)
    tail: Mapping[str, Collection[str]] = field(default_factory=dict[str, Collection[str]])

    @property
    def finest(self) -> NumberFormat:
        """Where trails end."""
        return self.formats[-1]

    @cached_property
    def start(self) -> Cost:
        """The cost of the coarsest format throughout."""
        return self.ledger().total

    @cached_property
    def end(self) -> Cost:
        """The cost of all fp32."""
        ledger = Ledger(self.costs, self.formats[0], [*self.kept, *(layer.name for layer in self.layers)])
        return ledger.total

    @cached_property
    def noise(self) -> float:
        """Predicted noise-to-signal power, at the worst part of the output, of the coarsest format throughout."""
        return self.noise_ledger().worst

    @cached_property
    def front(self) -> list[Point]:
        """The plans worth having, quickest first."""
        return pareto_front(self)

    def ledger(self) -> Ledger:
        """Costs, with all layers in the coarsest format that may be."""
        return Ledger(self.costs, self.formats[0], self.kept)

    def noise_ledger(self) -> NoiseLedger:
        """Noise, with all layers in the coarsest format that may be."""
        return NoiseLedger(self.noise_model, {layer.name: self.formats[0] for layer in self.layers})

    def ledgers(self, moved: Mapping[str, NumberFormat]) -> tuple[Ledger, NoiseLedger]:
        """Costs and noise, with these layers moved, one by one, to these formats from the coarsest."""
        ledger, noise = self.ledger(), self.noise_ledger()
        for name, format_ in moved.items():
            ledger.move(name, format_)
            noise.move(name, format_)
        return ledger, noise


@dataclass(frozen=True)
class TrailStep:
    """One move along a trail: a layer, the neighbours that come along, to what format, and where that leads.

    `noise` is that of the worst part of the output.
    """

    layers: tuple[LayerSensitivity, ...]
    noise: float
    cost: Cost
    format: NumberFormat = FP32


@dataclass(frozen=True)
class Trail:
    """From the coarsest format to finer ones, up to fp32. `steps[0]` moves nothing."""

    steps: tuple[TrailStep, ...]


@dataclass(frozen=True)
class Point:
    """One plan: a trail up to some step."""

    trail: Trail
    steps: int

    @property
    def noise(self) -> float:
        """Predicted noise-to-signal power at the output."""
        return self.trail.steps[self.steps].noise

    @property
    def cost(self) -> Cost:
        """Time and bytes."""
        return self.trail.steps[self.steps].cost

    @property
    def moved(self) -> dict[str, NumberFormat]:
        """The layers that are not in the coarsest format any more, in the order in which they were taken."""
        steps = self.trail.steps[: self.steps + 1]
        return {layer.name: step.format for step in steps for layer in step.layers}

    @property
    def fp32(self) -> list[LayerSensitivity]:
        """The layers in fp32, in the order in which they were taken."""
        steps = self.trail.steps[: self.steps + 1]
        return [layer for step in steps if not step.format.is_integer for layer in step.layers]


def walk(
    problem: Problem,
    order: Sequence[LayerSensitivity],
    *,
    alone: bool = False,
    by_way_of: Sequence[NumberFormat] = (),
) -> Trail:
    """The trail that takes the layers in this order to the finest format; each `alone`, or with its neighbours.

    Before that it takes them, in the same order, to each format `by_way_of` which it goes.
    """
    ledger = problem.ledger()
    free = {layer.name: layer for layer in problem.layers}
    noise = problem.noise_ledger()
    steps = [TrailStep((), noise.worst, ledger.total)]
    for format_ in (*by_way_of, problem.finest):
        for layer in order:
            if ledger.format_of(layer.name) in (format_, problem.finest):
                continue
            moved = _move(ledger, layer, format_, {} if alone else free)
            for each in moved:
                noise.move(each.name, format_)
            steps.append(TrailStep(tuple(moved), noise.worst, ledger.total, format_))
    return Trail(tuple(steps))


def best_buys(problem: Problem, cost: Callable[[Cost], float]) -> list[LayerSensitivity]:
    """The layers by noise over cost, highest first, each as if it alone had the finest format."""
    if problem.in_order:
        return list(problem.layers)
    ledger = problem.ledger()

    def rank(layer: LayerSensitivity) -> tuple[float, int]:
        price = cost(ledger.price(layer.name, problem.finest))
        noise = problem.noise_model.weight(layer.name, problem.finest)
        if noise <= 0:
            return 0.0, layer.index
        return (-noise / price if price > 0 else -math.inf), layer.index

    return sorted(problem.layers, key=rank)


def pareto_front(problem: Problem) -> list[Point]:
    """The plans worth having, quickest first."""
    ways = [(), *((format_,) for format_ in problem.formats[1:-1])]
    trails = [walk(problem, order, by_way_of=way) for order in _orders(problem) for way in ways]
    points = [Point(trail, steps) for trail in trails for steps in range(len(trail.steps))]
    if problem.finest == FP32:
        last = TrailStep(tuple(problem.layers), 0.0, problem.end)
        points.append(Point(Trail((TrailStep((), problem.noise, problem.start), last)), 1))
    points.sort(key=lambda point: (point.cost.time, point.noise, point.cost.size, point.steps))
    return _undominated(points)


def _orders(problem: Problem) -> list[Sequence[LayerSensitivity]]:
    """The orders in which layers may become fp32."""
    if problem.in_order:
        return [problem.layers]
    by_time, by_size = (best_buys(problem, cost) for cost in (lambda price: price.time, lambda price: price.size))
    forwards = sorted(problem.layers, key=lambda layer: layer.index)
    backwards = forwards[::-1]
    without_macs = [layer for layer in by_time if not layer.macs]
    rests = ([layer for layer in order if layer.macs] for order in (by_time, forwards, backwards))
    by_noise = sorted(forwards, key=lambda layer: -(layer.alone_normalized_mse or 0.0))
    return [by_noise, by_time, by_size, forwards, backwards, *(without_macs + rest for rest in rests)]


def _undominated(points: Sequence[Point]) -> list[Point]:
    """The points, sorted by time, that no earlier one beats in noise and size."""
    stairs: list[tuple[float, float]] = []
    front: list[Point] = []
    for point in points:
        noise, size = point.noise, point.cost.size
        at = bisect_left(stairs, (noise, math.inf))
        if at and stairs[at - 1][1] <= size:
            continue
        front.append(point)
        at = bisect_left(stairs, (noise, size))
        while at < len(stairs) and stairs[at][1] >= size:
            del stairs[at]
        insort(stairs, (noise, size))
    return front


def _move(
    ledger: Ledger, first: LayerSensitivity, format_: NumberFormat, free: dict[str, LayerSensitivity]
) -> list[LayerSensitivity]:
    """Moves a layer to a format, and every integer neighbour that is then no slower there; what was moved."""
    moved, pending = [first], [first.name]
    ledger.move(first.name, format_)
    while pending:
        for name in ledger.unasked_neighbours(pending.pop(), format_):
            if name in free and ledger.format_of(name) != format_ and ledger.price(name, format_).time <= 0:
                ledger.move(name, format_)
                moved.append(free[name])
                pending.append(name)
    return moved
