"""Why most of a network stays fp32: what a plan with most in int8 would have, and which layers make that noise."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from quantune_mlir.numerics.formats import INT8
from quantune_mlir.numerics.metrics import decibels
from quantune_mlir.planning.policies import FLOOR_DB
from quantune_mlir.workflow.quantized_model import QuantizedModel

MOST: Final = 0.6
"""The share of the multiply-accumulates below which the default policy says why it leaves them."""
_NAMED: Final = 3


def few_in_int8(quantization: QuantizedModel) -> str | None:
    """A warning that names the layer at which noise is too much, those that make it, and what to do.

    None where most is in int8 or has no int8 form, where plans with most in int8 are no quicker, or the least noisy of
    them is no quicker and has the floor, and where another policy asked for the plan.
    """
    problem = quantization.planned.problem
    free = {layer.name for layer in problem.layers}
    chosen = next((each for each in quantization.front if each.chosen), None)
    if chosen is None or not quantization.policy.is_default or _share(quantization, chosen.fp32) >= MOST:
        return None
    others = [each for each in quantization.front if _share(quantization, each.fp32) >= MOST]
    best = min(others, key=lambda each: each.noise, default=chosen)
    has_floor = best.time >= chosen.time and best.sqnr_db >= FLOOR_DB
    if has_floor or all(each.time >= chosen.time for each in others):
        return None
    model, formats = problem.noise_model, dict.fromkeys(sorted(free.difference(best.fp32)), INT8)
    worst = int(model.noise(formats).argmax())
    noisiest = sorted(formats, key=lambda name: -model.brought_by(name)[worst])[:_NAMED]
    enough = f"if that is enough, ask for {' '.join(best.options)}; or " if best.options else ""
    share = _share(quantization, chosen.fp32)
    return "\n".join(
        (
            f"{share:.0%} of the multiply-accumulates are in int8: with {MOST:.0%} of them, "
            f"about {decibels(best.noise):.1f} dB are predicted at {model.parts[worst]}",
            f"most of that noise is made by {', '.join(noisiest)}",
            f"remedy: {enough}tell by a score of your own what does no harm: --max-drop 1 --score FILE.py",
        )
    )


def _share(quantization: QuantizedModel, fp32: Collection[str]) -> float:
    """Of the multiply-accumulates of all layers, those in int8 with these of the layers that may be either in fp32."""
    free = {layer.name for layer in quantization.planned.problem.layers}
    macs = {layer.name: layer.macs for layer in quantization.model.layers}
    return sum(macs[name] for name in free.difference(fp32)) / max(1, sum(macs.values()))
