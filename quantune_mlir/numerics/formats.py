"""Number formats: what a layer may compute in. Plans name them, costs and noise are looked up by them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from quantune_mlir.errors import DataError


@dataclass(frozen=True)
class IntegerRange:
    """The codes that a tensor may hold: integers of so many bits from `minimum` to `maximum`."""

    bits: int
    minimum: int
    maximum: int


@dataclass(frozen=True)
class NumberFormat:
    """A format as a layer has it: of what it reads and makes, and of its constant weights.

    Attributes:
        name: as plans spell it.
        activations: codes of activations; None: fp32.
        weights: codes of constant weights; None: fp32.
        accumulator_bits: of the integers that products are summed up in; 0: fp32.
    """

    name: str
    activations: IntegerRange | None = None
    weights: IntegerRange | None = None
    accumulator_bits: int = 0

    @property
    def is_integer(self) -> bool:
        """Whether layers compute in integers."""
        return self.activations is not None

    @property
    def weight_bytes(self) -> float:
        """Bytes that one weight takes, a fraction where several share a byte."""
        return 4.0 if self.weights is None else self.weights.bits / 8

    def __str__(self) -> str:
        return self.name


FP32: Final = NumberFormat("fp32")
INT8_ACTIVATIONS: Final = IntegerRange(8, -128, 127)
INT8_WEIGHTS: Final = IntegerRange(8, -127, 127)
INT8: Final = NumberFormat("int8", INT8_ACTIVATIONS, INT8_WEIGHTS, 32)
"""TOSA's int8: activations with a zero point, weights symmetric."""
INT16_ACTIVATIONS: Final = IntegerRange(16, -32768, 32767)
INT16: Final = NumberFormat("int16", INT16_ACTIVATIONS, INT8_WEIGHTS, 48)
"""TOSA's int16: symmetric activations, the weights of int8, accumulators of 48 bits."""
INT16_WEIGHTS: Final = IntegerRange(16, -127 * 256, 127 * 256)
"""What two int8 make: 256 times one, and the other."""
INT16X16: Final = NumberFormat("int16x16", INT16_ACTIVATIONS, INT16_WEIGHTS, 48)
"""int16 with weights of 16 bits: two products, of their upper and of their lower halves, which are int8."""


def fineness(format_: NumberFormat) -> float:
    """By what formats are sorted, the coarsest first: bits of activations and of weights."""
    if format_.activations is None or format_.weights is None:
        return math.inf
    return format_.activations.bits + format_.weights.bits


FORMATS: Final = {format_.name: format_ for format_ in (INT8, INT16, INT16X16, FP32)}
"""Those that plans may name; `register` adds one."""


def register(format_: NumberFormat) -> None:
    """Let plans name one more format. Raises ValueError if another one has its name."""
    if FORMATS.setdefault(format_.name, format_) != format_:
        raise ValueError(f"there is another format called {format_.name!r}")


def activation_codes(bits: int) -> IntegerRange:
    """The codes of activations of so many bits. Raises DataError if no format has such."""
    known = {format_.activations.bits: format_.activations for format_ in FORMATS.values() if format_.activations}
    if bits not in known:
        widths = ", ".join(map(str, sorted(known)))
        raise DataError(f"no number format has activations of {bits} bits", remedy=f"known widths: {widths}")
    return known[bits]


def format_named(name: str) -> NumberFormat:
    """The format that plans call `name`. Raises DataError if there is none."""
    if name not in FORMATS:
        raise DataError(f"there is no number format {name!r}", remedy=f"known: {', '.join(FORMATS)}")
    return FORMATS[name]
