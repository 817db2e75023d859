"""What is done to a model before a layer is given up to fp32: the passes of the repairs that are switched on."""

from __future__ import annotations

from quantune_mlir.model import Model
from quantune_mlir.numerics.profile import Profile
from quantune_mlir.passes.quantize.assign_input_means import AssignInputMeans
from quantune_mlir.passes.quantize.equalize_ranges import EqualizeRanges
from quantune_mlir.passes.quantize.keep_defined import KeepDefined
from quantune_mlir.pipeline.base import Pass
from quantune_mlir.workflow.options import QuantizeOptions


def repairs(profile: Profile, options: QuantizeOptions) -> list[Pass]:
    """To be run on the simplified model before parameters are assigned."""
    return [
        AssignInputMeans(profile, enabled=options.correct_bias),
        EqualizeRanges(profile, enabled=options.equalizes),
    ]


def defined(model: Model, profile: Profile, options: QuantizeOptions) -> Model:
    """The model with what int8 has no value of marked as fp32 only. Raises DataError if the profile does not fit."""
    return model.after(KeepDefined(profile, options.scheme, options.range))
