"""What a user has to know of a plan: outputs that lost too much, and those of which nothing is known."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final

from quantune_mlir.numerics.metrics import decibels
from quantune_mlir.numerics.parts import LEAST_DB, Part, PartNoise
from quantune_mlir.workflow.few_in_int8 import few_in_int8
from quantune_mlir.workflow.heavy_tails import heavy_tails
from quantune_mlir.workflow.quantized_model import QuantizedModel
from quantune_mlir.workflow.verification import Verification

FEW_SAMPLES: Final = 4
"""Fewer tell next to nothing of others."""
UNEVEN: Final = 0.5
"""Where the standard error of noise is more of it, few samples make it."""
_NAMED: Final = 3
_CALIBRATE: Final = "remedy: calibrate with samples as they will come, a hundred of them"


def warnings(quantization: QuantizedModel) -> list[str]:
    """Parts measured below LEAST_DB, with the layers that may have done it and what to do; and what was not judged.

    Where most of the network stays fp32, why. One for all parts that the same layers are suspected of. Without a
    verification, what is predicted is told.
    """
    found = [*_of_samples(quantization)]
    verification = quantization.verification
    if verification is None:
        return [*found, *_predicted(quantization)]
    lost: dict[tuple[str, ...], list[PartNoise]] = {}
    for noise in verification.doubtful:
        lost.setdefault(_suspects(quantization, noise.part), []).append(noise)
    told = [_warning(quantization, layers, list(map(_measured, parts))) for layers, parts in lost.items()]
    few = few_in_int8(quantization)
    return [
        *told,
        *([few] if few else []),
        *_uneven(verification),
        *_ranked(verification),
        *_silent(verification),
        *found,
    ]


def _warning(quantization: QuantizedModel, layers: Sequence[str], parts: Sequence[str], how: str = "measured") -> str:
    lines = [f"{how} at the outputs: {', '.join(parts)}; below {LEAST_DB:g} dB int8 changes what a network decides"]
    floor = quantization.policy.floor_db
    remedies = [] if floor is not None and floor >= LEAST_DB else [f"ask for --min-sqnr {LEAST_DB:g}"]
    if layers:
        lines.append(f"the most sensitive layers in int8 before them: {', '.join(layers)}")
        remedies.append(f"keep these in fp32: --keep-fp32 '^({'|'.join(map(re.escape, layers))})$'")
    return "\n".join([*lines, f"remedy: {', or '.join(remedies) or 'calibrate with more samples'}"])


def _measured(noise: PartNoise) -> str:
    if noise.worst.signal == 0:
        return f"{noise.part.name} noise where fp32 is zero"
    told = f"{noise.part.name} {noise.sqnr_db:.1f} dB"
    if noise.part.reading == "classes":
        told += f" ({noise.whole.noise:.0f} of {noise.whole.count:.0f} decided otherwise)"
    return told


def _predicted(quantization: QuantizedModel) -> Iterator[str]:
    """What is foreseen of a plan that was not measured."""
    low = [each for each in quantization.predicted if decibels(each.mixed) < LEAST_DB]
    if low:
        parts = [f"at {each.layer} {decibels(each.mixed):.1f} dB" for each in low]
        layers = _in_integers(quantization, {layer.name for layer in quantization.model.layers})
        yield _warning(quantization, layers, parts, "not measured, but predicted")


def _uneven(verification: Verification) -> Iterator[str]:
    """Parts that are well on these samples, but may not be on others."""
    noises = (part.noise for part in verification.parts)
    parts = [
        f"{noise.part.name} {noise.sqnr_db:.1f} dB, {decibels(noise.likely_mse):.1f} dB on others"
        for noise in noises
        if noise.sqnr_db >= LEAST_DB > decibels(noise.likely_mse) and (noise.spread or 0.0) > UNEVEN
    ]
    if parts:
        yield f"few of the samples make most of the noise: {'; '.join(parts)} perhaps\n{_CALIBRATE}"


def _ranked(verification: Verification) -> Iterator[str]:
    if verification.ranked:
        parts = ", ".join(map(_measured, verification.ranked))
        yield (
            f"not judged: {parts}; elements stand in the order of a top k, which the least noise changes\n"
            "remedy: cut the model before it (--outputs) and pick outside, or evaluate with --score FILE.py"
        )


def _silent(verification: Verification) -> Iterator[str]:
    if verification.silent:
        names = ", ".join(noise.part.name for noise in verification.silent)
        yield f"not judged: {names}; fp32 gives only zeros there, over all samples\n{_CALIBRATE}"


def _of_samples(quantization: QuantizedModel) -> Iterator[str]:
    count = quantization.runs.samples
    if count < FEW_SAMPLES:
        yield f"only {count} sample(s) to calibrate with: next to nothing is known of others\n{_CALIBRATE}"
    if (heavy := heavy_tails(quantization)) is not None:
        yield heavy
    observed = {spec.name: quantization.profile.get(f"%{spec.name}") for spec in quantization.model.inputs}
    constant = [
        f"{name} {histogram.maximum:g}"
        for name, histogram in observed.items()
        if histogram is not None and histogram.minimum == histogram.maximum
    ]
    if constant:
        yield f"inputs that are the same throughout all samples: {', '.join(constant)}\n{_CALIBRATE}"


def _suspects(quantization: QuantizedModel, part: Part) -> tuple[str, ...]:
    """The most sensitive layers in integers that a part depends on."""
    return _in_integers(quantization, quantization.model.layers_before(part))


def _in_integers(quantization: QuantizedModel, among: set[str]) -> tuple[str, ...]:
    deciding = {layer.name for layer in quantization.model.layers if layer.decides}
    precision = quantization.mixed.precision
    names = (layer.name for layer in quantization.sensitivity.layers)
    return tuple(name for name in names if name in among & deciding and precision[name] != "fp32")[:_NAMED]
