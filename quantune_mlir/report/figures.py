"""Numbers as people read them."""

from __future__ import annotations

import math


def decibels(value: float | None) -> str:
    """`31.4 dB`; exact where there is no noise."""
    bare = bare_decibels(value)
    return bare if value is None or math.isinf(value) else f"{bare} dB"


def bare_decibels(value: float | None) -> str:
    """The same without its unit."""
    if value is None:
        return "–"
    if math.isinf(value):
        return "exact" if value > 0 else "noise only"
    return f"{value:.1f}"


def size(value: float) -> str:
    """`812 B`, `34.5 KiB`, `1.23 MiB`."""
    if value < 1024:
        return f"{value:.0f} B"
    return f"{value / 1024:.1f} KiB" if value < 1024**2 else f"{value / 1024**2:.2f} MiB"


def milliseconds(value: float) -> str:
    """Three significant digits."""
    return f"{value:.3g} ms"


def percent(value: float) -> str:
    """A share between 0 and 1."""
    return f"{100 * value:.1f} %"


def short(value: float) -> str:
    """`812`, `34.5 k`, `1.23 M`, `−2.1 G`."""
    magnitude = abs(value)
    for factor, letter in ((1e9, " G"), (1e6, " M"), (1e3, " k")):
        if magnitude >= factor:
            return f"{'−' if value < 0 else ''}{magnitude / factor:.3g}{letter}"
    return f"{'−' if value < 0 else ''}{magnitude:.3g}"


def time(value: float, unit: str) -> str:
    """A time of the cost model: µs as measured, cycles as thousands or millions."""
    if unit == "µs":
        return f"{value:.3g} µs" if value < 1000 else f"{value / 1000:.3g} ms"
    return f"{short(value)} {unit}"


def seconds(value: float) -> str:
    """`0.03 s`, `12.5 s`."""
    return f"{value:.2f} s" if value < 10 else f"{value:.1f} s"
