"""Everything that shapes a quantization, in one place; stored next to its results."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Final

from quantune_mlir.errors import ModelError
from quantune_mlir.integer.integer_options import Granularity, IntegerOptions, RequantizeMode
from quantune_mlir.numerics.schemes import DEFAULT_RANGE, RangeMethod, Scheme

DEFAULT_SAMPLES: Final = 100
ANALYSIS_TARGET: Final = "host"
"""Both inference runs happen here, whatever CPU the program is for."""


@dataclass(frozen=True)
class QuantizeOptions:
    """How to quantize. Same model, samples and options: same bytes.

    Attributes:
        weights: granularity of the weights' scales.
        scheme: where zero points lie and which scales are allowed.
        range: how a tensor's range follows from its histogram.
        equalize: scale channels between layers so that their ranges are alike; None: where weights have one scale per
            tensor.
        correct_bias: let the bias make up for what the rounding of weights adds on average.
        requantize: arithmetic of requantization; None takes what suits the target.
        integer_only: let nothing be computed in floating point; deliverables have int8 inputs and outputs. None: where
            the target has no float operation, unless requantization is to be one.
        target: name of a target description, see `quantune targets`.
        samples: at most so many calibration samples are used.
        seed: picks them where there are more.
    """

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    weights: Granularity = IntegerOptions.weights
    scheme: Scheme = IntegerOptions.scheme
    range: RangeMethod = DEFAULT_RANGE
    equalize: bool | None = None
    correct_bias: bool = True
    requantize: RequantizeMode | None = None
    integer_only: bool | None = None
    target: str = "host"
    samples: int = DEFAULT_SAMPLES
    seed: int = 0

    def __post_init__(self) -> None:
        if self.integer_only and self.requantize == "float":
            raise ModelError(
                "requantization in floating point is no integer",
                where="--integer-only",
                remedy="leave out --requantize float",
            )

    @property
    def equalizes(self) -> bool:
        """Whether ranges are equalized."""
        return self.weights == "per-tensor" if self.equalize is None else self.equalize

    @property
    def is_integer_only(self) -> bool:
        """Whether nothing is computed in floating point."""
        from quantune_mlir.hardware.targets import load_target

        if self.integer_only is None:
            return self.requantize != "float" and load_target(self.target).floats == "none"
        return self.integer_only

    @staticmethod
    def from_dict(fields: Mapping[str, Any], where: str | None = None) -> QuantizeOptions:
        """The options that `as_dict` gave. Raises ModelError for others, naming the file `where`."""
        from pydantic import TypeAdapter, ValidationError

        try:
            return TypeAdapter(QuantizeOptions).validate_python(fields)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            problem = f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
            raise ModelError(
                f"its options are not those of this version: {problem}", where=where, remedy="quantize the model again"
            ) from error

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for summary.json."""
        return {
            name: str(value) if isinstance(value, Scheme | RangeMethod) else value
            for name, value in asdict(self).items()
        }


DEFAULTS: Final = QuantizeOptions()
