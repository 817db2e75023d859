"""What a user has to know of a plan that leaves parts of the outputs next to ruined."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from quantune_mlir.numerics.parts import PartNoise
from quantune_mlir.workflow.quantized_model import QuantizedModel
from quantune_mlir.workflow.verification import WARNING_DB

_NAMED: Final = 3
_REMEDY_DB: Final = 20


def warnings(quantization: QuantizedModel) -> list[str]:
    """Which parts were measured below WARNING_DB, which layers may have done it, and what to do.

    One for all parts that the same layers are suspected of.
    """
    if quantization.verification is None:
        return []
    ruined: dict[tuple[str, ...], list[PartNoise]] = {}
    for noise in quantization.verification.doubtful:
        ruined.setdefault(_suspects(quantization, noise), []).append(noise)
    return [_warning(layers, parts) for layers, parts in ruined.items()]


def _warning(layers: Sequence[str], parts: Sequence[PartNoise]) -> str:
    measured = (
        f"{noise.part.name} " + ("noise where fp32 is zero" if noise.worst.signal == 0 else f"{noise.sqnr_db:.1f} dB")
        for noise in parts
    )
    lines = [f"measured at the outputs: {', '.join(measured)}; below {WARNING_DB:g} dB they are next to ruined"]
    remedy = f"ask for --min-sqnr {_REMEDY_DB}"
    if layers:
        lines.append(f"the most sensitive layers in int8 before them: {', '.join(layers)}")
        remedy += f", or keep these in fp32: --keep-fp32 '^({'|'.join(map(re.escape, layers))})$'"
    return "\n".join([*lines, f"remedy: {remedy}"])


def _suspects(quantization: QuantizedModel, noise: PartNoise) -> tuple[str, ...]:
    """The most sensitive layers in int8 that a part depends on."""
    before = quantization.model.layers_before(noise.part)
    deciding = {layer.name for layer in quantization.model.layers if layer.decides}
    precision = quantization.mixed.precision
    names = (layer.name for layer in quantization.sensitivity.layers)
    return tuple(name for name in names if name in before & deciding and precision[name] == "int8")[:_NAMED]
