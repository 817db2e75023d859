"""Numbers as JSON can hold them."""

from __future__ import annotations

import math


def json_number(value: float | None) -> float | str | None:
    """Infinities as "inf" and "-inf", for JSON has none; None for what is unknown."""
    if value is None or math.isnan(value):
        return None
    return str(float(value)) if math.isinf(value) else float(value)
