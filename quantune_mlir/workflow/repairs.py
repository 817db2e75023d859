"""What is done to a model between the two runs."""

from __future__ import annotations

from quantune_mlir.model import Model
from quantune_mlir.numerics.profile import Profile
from quantune_mlir.workflow.options import QuantizeOptions


def prepared(model: Model, profile: Profile, options: QuantizeOptions) -> Model:
    """The model with what int8 has no value of marked as fp32 only. Raises DataError if the profile does not fit."""
    return model.after("prepare", profile=profile, scheme=options.scheme, range=options.range)


def repaired(model: Model, profile: Profile, options: QuantizeOptions) -> Model:
    """The prepared model after the repairs that are switched on, with integer parameters."""
    return model.after(
        "repair",
        profile=profile,
        scheme=options.scheme,
        range=options.range,
        correct_bias=options.correct_bias,
        equalize=options.equalizes,
    )
