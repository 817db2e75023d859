"""From the measured energies of a model's layers to the noise that each would bring to the parts of its output."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import takewhile
from typing import Final, cast

import numpy as np

from quantune_mlir.graph.epilogues import is_piecewise_linear
from quantune_mlir.graph.layers import Layer
from quantune_mlir.graph.units import SHARING, Kind, Unit
from quantune_mlir.mlir.bindings import ir
from quantune_mlir.mlir.dialects.quantune import (
    ACCUMULATED,
    LOCAL,
    PROJECTED,
    PROJECTED_LANES,
    PROJECTED_ROUNDING,
    PROJECTED_ROUNDING_LANES,
    RESIDUAL,
    ROUNDING,
    Noise,
    group_rows,
)
from quantune_mlir.model import Model
from quantune_mlir.numerics.metrics import ErrorEnergy, Signal
from quantune_mlir.planning.correction import TRUSTED
from quantune_mlir.planning.noise_model import WORST, NoiseModel, Powers
from quantune_mlir.planning.propagation import SATURATED, NoiseNode, linear_gain, noise_to_signal, output_gains
from quantune_mlir.planning.sensitivity import RoundedTensor

Energies = Mapping[tuple[str, Noise], ErrorEnergy]
LEAST_HALVED: Final = 0.01
"""20 dB: plans with less noise are hardly ever far from a sum, whatever is measured of int8 throughout."""
_ROUNDING: Final = 1e-6
_CORRECTION: Final = 30.0
"""The most by which the measured noise of int8 throughout may differ from its prediction for that to be scaled."""


def group_end(layer: Layer, clamps: Mapping[ir.Value, Unit]) -> str:
    """The name of the clamp that folds into a layer's epilogue, or of the layer itself."""
    clamp = clamps.get(layer.output)
    return layer.name if clamp is None or clamp.layer is None else clamp.layer


@dataclass(frozen=True)
class Measurement:
    """What one run over the samples sums up.

    Attributes:
        energies: of each measured tensor.
        projections: the energies of the runs that look at each part of the output, with what layers bring to it, each
            for as many runs as there are in all; empty where that could not be projected.
    """

    energies: Energies
    projections: tuple[Energies, ...] = ()

    def at_output(self, name: str) -> ErrorEnergy:
        """What was measured with every layer int8 at a closing layer, at the worst group of its channels."""
        return self.energies[self._worst_row(name)]

    def beyond_probed(self, outputs: Sequence[str]) -> Powers:
        """How many times the noise of the runs that look at each of the closing layers all runs have, all int8."""
        rows = list(map(self._worst_row, outputs))
        whole = np.array([self.energies[row].noise for row in rows])
        pairs = zip(rows, self.projections, strict=True)
        probed = np.array([runs[row].noise if row in runs else 0.0 for row, runs in pairs])
        known = np.isfinite(whole) & np.isfinite(probed) & (whole > 0) & (probed > 0)
        return np.divide(whole, probed, out=np.ones_like(whole), where=known)

    def _worst_row(self, name: str) -> tuple[str, Noise]:
        groups = list(takewhile(self.energies.__contains__, group_rows(name)))
        return max(groups or [(name, ACCUMULATED)], key=lambda row: _normalized(self.energies[row]))


@dataclass(frozen=True)
class NoiseBudget:
    """Predicted noise-to-signal powers at the parts of the network's output.

    Attributes:
        parts: the layers that make them.
        own: what each deciding layer takes away by being fp32, whatever the others are: the error of its weights and,
            where no other layer reads its input, that of its input's rounding.
        rounded: what the rounding of the other tensors brings.
        alone: what each deciding layer adds if it alone is int8.
        halved_at: at each part, the sum of noise of which half comes out; None where it adds up.
        signal: what noise is compared with.
        signal_share: its energy over that of the output, at most 1.
    """

    parts: tuple[str, ...]
    own: dict[str, Powers]
    rounded: tuple[RoundedTensor, ...]
    alone: dict[str, Powers]
    halved_at: tuple[float | None, ...] = ()
    signal: Signal = "output"
    signal_share: float = 1.0

    @property
    def rounding(self) -> float:
        """The noise that the rounding of tensors that several layers read brings, all int8, at the worst part."""
        return float(np.sum([tensor.noise for tensor in self.rounded], axis=0).max()) if self.rounded else 0.0

    @property
    def total(self) -> Powers:
        """The noise with every layer int8."""
        return np.sum([*self.own.values(), *(np.array(tensor.noise) for tensor in self.rounded)], axis=0)

    def times(self, factor: Powers | float) -> NoiseBudget:
        """The same with all noise but that of layers alone so many times as large."""
        own = {name: noise * factor for name, noise in self.own.items()}
        return replace(self, own=own, rounded=tuple(_times(tensor, factor) for tensor in self.rounded))

    def against(self, signal: Signal, share: float) -> NoiseBudget:
        """The same noise, of a budget for the whole output, beside a signal of such a share of its energy."""
        alone = {name: noise / share for name, noise in self.alone.items()}
        halved_at = tuple(None if at is None else at / share for at in self.halved_at)
        return replace(self.times(1 / share), alone=alone, halved_at=halved_at, signal=signal, signal_share=share)


def noise_at_output(model: Model, measurement: Measurement, *, float_epilogues: bool = True) -> NoiseBudget:
    """The noise budget of a model from the measured energies of its layers.

    It was projected to the output by the run itself, or else follows from how energies grow from layer to layer. With
    every layer int8 it is what was measured: where that is as large as the signal, and less than what adds up, noise is
    taken to add up no longer from somewhere below on.

    With `float_epilogues`, a piecewise linear function that alone is int8 is computed in fp32.
    """
    energies = measurement.energies
    outputs = _measured_outputs(model, energies)
    if outputs and len(measurement.projections) == len(outputs):
        budget = _projected(model, measurement, outputs)
    else:
        budget = _propagated(model, energies, outputs)
    if float_epilogues:
        exact = {layer.name for layer in model.layers if _last(layer, is_piecewise_linear)}
        alone = {name: np.where(name in exact, 0.0, noise) for name, noise in budget.alone.items()}
        budget = replace(budget, alone=alone)
    if budget.own:
        budget = _explained(budget, model, measurement)
        measured, ratio = _beside_measured(budget, measurement)
        scaled = (measured > 0) & (measured < WORST) & ((measured < SATURATED) | (ratio > 1))
        budget = budget.times(np.where(scaled, np.clip(ratio, 1 / _CORRECTION, _CORRECTION), 1.0))
        budget = replace(budget, halved_at=_halved_at(budget.total, measured))
    for (name, noise), energy in energies.items():
        if noise == RESIDUAL and 0 < energy.noise < energy.signal:
            return budget.against(cast(Signal, name), energy.noise / energy.signal)
    return budget


def _explained(budget: NoiseBudget, model: Model, measurement: Measurement) -> NoiseBudget:
    """The budget, where far more noise was measured than it has, with what has grown of each layer's error at least.

    First-order projection does not see what a logarithm makes of large errors, and the layers before it are to blame,
    not all alike.
    """
    measured, ratio = _beside_measured(budget, measurement)
    wrong = (measured < WORST) & (ratio > TRUSTED)
    grown = grown_noise(model, measurement) if wrong.any() else {}
    own = {
        name: np.where(wrong, np.maximum(noise, grown[name]), noise)
        if name in grown and len(grown[name]) == len(noise)
        else noise
        for name, noise in budget.own.items()
    }
    return replace(budget, own=own)


def _halved_at(added_up: Powers, measured: Powers) -> tuple[float | None, ...]:
    """At each part, of what sum of noise half comes out, if of all of it there comes what was measured."""
    found = (
        max(whole / (whole / noise - 1) ** 2, LEAST_HALVED) if SATURATED <= noise < (1 - _ROUNDING) * whole else None
        for whole, noise in zip(added_up.tolist(), measured.tolist(), strict=True)
    )
    return tuple(found)


def grown_noise(model: Model, measurement: Measurement) -> dict[str, Powers]:
    """What each layer brings, as energies grow from layer to layer: together what was measured at the output."""
    energies = measurement.energies
    budget = _propagated(model, energies, _measured_outputs(model, energies), saturates=False)
    if not budget.own:
        return {}
    _, ratio = _beside_measured(budget, measurement)
    noise = NoiseModel(budget.parts, budget.own, budget.rounded)
    return {name: noise.brought_by(name) * ratio for name in budget.own}


def _measured_outputs(model: Model, energies: Energies) -> list[str]:
    """The layers that make the parts of the output that noise is predicted at."""
    made_by = {layer.output: layer.name for layer in model.layers}
    names = (made_by[value] for value in model.network.closing_values)
    return [name for name in names if (name, ACCUMULATED) in energies]


def _beside_measured(budget: NoiseBudget, measurement: Measurement) -> tuple[Powers, Powers]:
    """The noise that was measured at each part, and how many times as much it is as the budget's total."""
    measured = np.array([_normalized(measurement.at_output(name)) for name in budget.parts])
    return measured, np.divide(measured, budget.total, out=np.ones_like(measured), where=budget.total > 0)


def _projected(model: Model, measurement: Measurement, outputs: Sequence[str]) -> NoiseBudget:
    signals = [measurement.energies[name, ACCUMULATED].signal for name in outputs]
    beyond = measurement.beyond_probed(outputs)

    def at_parts(name: str, whole: Noise, lanes: Noise) -> Powers:
        made = (_made(energies, (name, whole), (name, lanes)) for energies in measurement.projections)
        return beyond * [_ratio(noise, signal) for noise, signal in zip(made, signals, strict=True)]

    alone = {layer.name: at_parts(layer.name, PROJECTED, PROJECTED_LANES) for layer in model.layers if layer.decides}
    own = {
        name: noise * [_removed_share(energies, name) for energies in measurement.projections]
        for name, noise in alone.items()
    }
    kept = {name: noise - own[name] for name, noise in alone.items()}
    rounded = {
        layer.name: at_parts(layer.name, PROJECTED_ROUNDING, PROJECTED_ROUNDING_LANES)
        for layer in model.layers
        if any((layer.name, PROJECTED_ROUNDING) in energies for energies in measurement.projections)
    }
    return NoiseBudget(tuple(outputs), own, _rounded_tensors(model, rounded, kept), alone)


def _made(energies: Energies, whole: tuple[str, Noise], lanes: tuple[str, Noise]) -> float:
    """What was projected, by two estimates: one scatters, the other leaves out what its lanes have in common.

    It is their mean, or nearer to the first where the second has less than a quarter of it. See docs/definitions.md.
    """
    if whole not in energies:
        return 0.0
    one, other = energies[whole].signal, energies[lanes].signal
    weight = max(0.5, 1 - 2 * other / one) if one else 0.5
    return weight * one + (1 - weight) * other


def _removed_share(energies: Energies, name: str) -> float:
    """What goes away of what a layer makes alone if it becomes fp32 among int8 ones."""
    projected = energies.get((name, PROJECTED), ErrorEnergy())
    return min(_ratio(projected.noise, projected.signal), 1.0)


def _rounded_tensors(
    model: Model, noise: Mapping[str, Powers], kept: Mapping[str, Powers]
) -> tuple[RoundedTensor, ...]:
    """The tensors that several layers read, by the layer that makes each, with the noise of their rounding.

    Of a tensor that is moved and selected from only what is read in the end counts: it is rounded once. Readers share
    it as they share what stays of their own noise if each alone is fp32. A function that is computed in fp32 is rounded
    for int8 readers only, a table for all.
    """
    readers, makers = model.network.deciding_readers, model.network.owners
    read = {value for layer in model.layers if layer.decides for value in layer.inputs}
    found: list[RoundedTensor] = []
    for layer in model.layers:
        mine = readers.get(layer.output, [])
        if layer.name in noise and layer.output in read:
            nothing = np.zeros(len(noise[layer.name]))
            apart = np.array([np.fmax(kept.get(name, nothing), nothing) for name in mine])
            weights = apart.max(axis=1)
            shares = weights / weights.sum() if 0 < weights.sum() < np.inf else np.full(len(mine), 1 / len(mine))
            found.append(
                RoundedTensor(
                    layer=layer.name,
                    maker=None if _last(layer, is_piecewise_linear) else makers.get(layer.name) or None,
                    counted=_last(layer, lambda unit: unit.kind is Kind.UNARY and not is_piecewise_linear(unit)),
                    readers=dict(zip(mine, shares.tolist(), strict=True)),
                    noise=tuple(noise[layer.name].tolist()),
                    apart=tuple(apart.sum(axis=0).tolist()) if apart.any() else (),
                )
            )
    return tuple(found)


def _last(layer: Layer, holds: Callable[[Unit], bool]) -> bool:
    """Whether something holds of the last unit of a layer that computes."""
    last = [unit for unit in layer.units if unit.kind not in SHARING]
    return bool(last) and holds(last[-1])


def _propagated(model: Model, energies: Energies, outputs: Sequence[str], *, saturates: bool = True) -> NoiseBudget:
    groups = _fusion_groups(model, energies)
    nodes = [group.node for group in groups]
    at_node = {value: group.node.name for group in groups for value in group.values}
    made_by = {layer.name: layer.output for layer in model.layers}
    gains = {name: output_gains(nodes, at_node[made_by[name]]) for name in outputs if made_by[name] in at_node}
    saturated = {
        name: saturates and sum(node.local * gain.get(node.name, 0.0) for node in nodes) >= SATURATED
        for name, gain in gains.items()
    }

    def at_parts(node: NoiseNode, energy: float) -> Powers:
        return np.array(
            [noise_to_signal(node, energy, gain, saturated=saturated[name]) for name, gain in gains.items()]
        )

    deciding = {layer.name for layer in model.layers if layer.decides}
    mine = [group for group in groups if group.node.name in deciding]
    rounded = {group.end: at_parts(group.node, group.rounding) for group in groups if group.rounding > 0}
    return NoiseBudget(
        tuple(gains),
        {group.node.name: at_parts(group.node, group.removable) for group in mine},
        _rounded_tensors(model, rounded, {}),
        {group.node.name: at_parts(group.node, group.node.local) for group in mine},
    )


@dataclass(frozen=True)
class _Group:
    """A fusion group: its node, called after the layer that decides on it, and the values that it makes.

    `end` is its last layer. `removable` is the part of the node's local noise energy that goes away if the group is
    fp32, and `rounding` what its result brings by being rounded for several readers.
    """

    node: NoiseNode
    end: str
    values: tuple[ir.Value, ...]
    removable: float
    rounding: float


def _fusion_groups(model: Model, energies: Energies) -> list[_Group]:
    clamps = model.network.clamps
    heads = {layer.output: layer for layer in model.layers if layer.output in clamps}
    ends = {clamp.output: value for value, clamp in clamps.items() if value in heads}
    makers, private = model.network.makers, model.network.private_values
    rounding = {
        layer.output: _energy(energies[layer.name, ROUNDING])
        for layer in model.layers
        if (layer.name, ROUNDING) in energies
    }
    made_by: dict[ir.Value, str] = {}
    noise: dict[str, float] = {}
    groups: list[_Group] = []
    for layer in model.layers:
        if layer.output in clamps or (layer.name, ACCUMULATED) not in energies:
            continue
        head = next((heads[ends[unit.output]] for unit in layer.units if unit.output in ends), layer)
        inputs = tuple(dict.fromkeys(_origins(head.inputs, made_by, makers)))
        end = energies[layer.name, ACCUMULATED]
        local = _energy(energies.get((layer.name, LOCAL), ErrorEnergy())) if head.decides else 0.0
        gain = linear_gain(_energy(end), local, sum(noise[name] for name in inputs))
        node = NoiseNode(head.name, inputs, end.signal, local, gain)
        rounded = rounding.get(layer.output, 0.0)
        shared = [value for value in head.inputs if value not in private]
        removable = local - rounded - gain * sum(rounding.get(value, 0.0) for value in shared)
        left = 0.0 if layer.output in private else rounded
        values = tuple(unit.output for unit in layer.units)
        groups.append(_Group(node, layer.name, values, max(0.0, removable), left))
        noise[head.name] = _energy(end)
        made_by.update(dict.fromkeys(values, head.name))
    return groups


def _origins(values: Sequence[ir.Value], made_by: Mapping[ir.Value, str], makers: Mapping[ir.Value, Unit]) -> list[str]:
    """The nodes that values come from, through ops that belong to no node."""
    found: list[str] = []
    for value in values:
        while value not in made_by and value in makers and makers[value].inputs:
            value = makers[value].inputs[0]
        if value in made_by:
            found.append(made_by[value])
    return found


def _energy(energy: ErrorEnergy) -> float:
    """The noise, or what counts as the worst if it is not known."""
    return energy.noise if energy.known else WORST * (energy.signal if np.isfinite(energy.signal) else 1.0)


def _normalized(energy: ErrorEnergy) -> float:
    return min(energy.normalized_mse or 0.0, WORST)


def _ratio(noise: float, signal: float) -> float:
    """Noise over signal; 0 without a signal, and the worst if either is not known."""
    if not (np.isfinite(noise) and np.isfinite(signal)):
        return WORST
    return noise / signal if signal else 0.0


def _times(tensor: RoundedTensor, factor: Powers | float) -> RoundedTensor:
    fields = {"noise": tensor.noise, "apart": tensor.apart}
    update = {name: tuple((np.asarray(powers) * factor).tolist()) for name, powers in fields.items() if powers}
    return tensor.model_copy(update=update)
