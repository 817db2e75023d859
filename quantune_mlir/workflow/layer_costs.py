"""What each format of each layer costs on a target: measured on this machine, or modelled."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from math import prod
from typing import Literal

from quantune_mlir.backend.group_latency import conversion_key, latency_cache, measure_latencies
from quantune_mlir.backend.kernel_groups import KernelGroup
from quantune_mlir.graph.layers import Layer
from quantune_mlir.graph.units import Kind
from quantune_mlir.hardware.targets import Target
from quantune_mlir.mlir.bindings import ir
from quantune_mlir.model import Model
from quantune_mlir.numerics.formats import FP32, NumberFormat
from quantune_mlir.planning.costs import Cost, CostModel, Reader, Stream

_CONVERTING = frozenset({Kind.BINARY, Kind.UNARY, Kind.SLOPES, Kind.CLAMP, Kind.LOOP})
"""Kinds that change the precision of what they read as they read it, or read fp32 in any."""


Groups = Mapping[NumberFormat, Sequence[KernelGroup]]
"""The kernel groups of a network by the format that its layers have throughout, fp32 among them."""


def modelled_costs(model: Model, groups: Groups, target: Target) -> CostModel:
    """Costs in cycles, as the instruction set's throughput tells; the same on every machine.

    All weights are read from memory if those of fp32 are too many for the cache, in whatever precision they then are.
    """
    speed = target.throughput
    from_memory = sum(group.work.constants for group in groups[FP32]) > speed.cache
    return _cost_model(
        model,
        groups,
        time=lambda group: speed.cycles(group.work, from_memory=from_memory),
        conversion=lambda shape: speed.conversion(prod(shape)),
        unit="cycles",
    )


def measured_costs(
    model: Model,
    groups: Groups,
    target: Target,
    on_groups: Callable[[], None] = lambda: None,
) -> CostModel:
    """Costs in µs on this machine, each distinct kernel measured unless it was before."""
    shapes = {shape for *_, shape in _shared_values(model)}
    cache = latency_cache(target)
    times = measure_latencies(_all(groups), sorted(shapes), target, cache, on_groups)
    return _cost_model(
        model,
        groups,
        time=lambda group: times[group.key],
        conversion=lambda shape: times[conversion_key(shape)],
        unit="µs",
    )


def number_of_costs(model: Model, groups: Groups) -> int:
    """How many distinct things `measured_costs` has to know."""
    keys = {group.key for group in _all(groups)}
    return len(keys) + len({shape for *_, shape in _shared_values(model)})


def _cost_model(
    model: Model,
    groups: Groups,
    *,
    time: Callable[[KernelGroup], float],
    conversion: Callable[[tuple[int, ...]], float],
    unit: Literal["µs", "cycles"],
) -> CostModel:
    deciding = {layer.name: layer for layer in model.layers if layer.decides}
    owner_of = model.network.owners
    times = {format_: _by_owner(mine, owner_of, time) for format_, mine in groups.items()}
    layers = {
        name: {
            format_: Cost(mine.get(name, 0.0), format_.weight_bytes * layer.weight_elements)
            for format_, mine in times.items()
        }
        for name, layer in deciding.items()
    }
    fixed = Cost(times[FP32].get("", 0.0), 4.0 * sum(x.weight_elements for x in model.layers if not x.decides))
    streams = [Stream(producer, readers, conversion(shape)) for producer, readers, shape in _shared_values(model)]
    return CostModel(layers, streams, fixed, unit)


def _all(groups: Groups) -> list[KernelGroup]:
    return [group for mine in groups.values() for group in mine]


def _by_owner(
    groups: Sequence[KernelGroup], owner_of: Mapping[str, str], time: Callable[[KernelGroup], float]
) -> dict[str, float]:
    """The time of the groups of each deciding layer; "" has those that cost the same under any plan."""
    found: dict[str, float] = defaultdict(float)
    first = next(iter(owner_of.values()), "")
    for group in groups:
        owner = next((owner_of[name] for name in group.layers if name in owner_of), "") if group.layers else first
        found[owner] += time(group)
    return found


def _shared_values(model: Model) -> list[tuple[str, tuple[Reader, ...], tuple[int, ...]]]:
    """What more than one layer reads: who makes it, who reads it, and its shape.

    Through layers that decide nothing; graph inputs are called after themselves, with a percent sign.
    """
    names = model.network.tensors.names.items()
    sources: dict[ir.Value, str] = {value: name for value, name in names if isinstance(value, ir.BlockArgument)}
    readers: dict[str, dict[str, Reader]] = defaultdict(dict)
    shapes: dict[str, tuple[int, ...]] = {}
    for unit in model.network.units:
        if unit.layer is None and unit.inputs and unit.inputs[0] in sources:
            sources[unit.output] = sources[unit.inputs[0]]
    for layer in model.layers:
        for value in layer.inputs:
            if value not in sources:
                continue
            source = sources[value]
            if layer.decides or not layer.quantizable:
                readers[source][layer.name] = Reader(layer.name, _converts(layer))
                shapes.setdefault(source, tuple(ir.RankedTensorType(value.type).shape))
        own = layer.name if layer.decides or not layer.quantizable else None
        passed_on = own or next((sources[value] for value in layer.inputs if value in sources), None)
        if passed_on is not None:
            sources.update(dict.fromkeys((unit.output for unit in layer.units), passed_on))
    return [(name, tuple(found.values()), shapes[name]) for name, found in readers.items() if len(found) > 1]


def _converts(layer: Layer) -> bool:
    return all(unit.kind in _CONVERTING for unit in layer.units)
