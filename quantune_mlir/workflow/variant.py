"""The names of a quantized model's variants."""

from __future__ import annotations

from typing import Final, Literal

Variant = Literal["fp32", "int8", "mixed"]
VARIANTS: Final[tuple[Variant, ...]] = ("fp32", "int8", "mixed")
