"""What the gallery knows of a network."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tools.gallery.fetch import Published
from tools.gallery.inputs import Maker
from tools.gallery.made import Made


@dataclass(frozen=True)
class Entry:
    """A network and what is asked of it.

    Attributes:
        name: for the command line and the table.
        source: where its file is from.
        task: what it is for.
        samples: makes inputs.
        metric: what `score` is, for the table.
        score: judges a variant's outputs beside fp32's.
        calibration: samples to quantize with.
        tests: samples to evaluate with, made after those.
        attends: whether it has attention or recurrence.
        imported: arguments of Model.load beyond the samples.
    """

    name: str
    source: Published | Made
    task: str
    samples: Maker
    metric: str
    score: Callable[..., float]
    calibration: int = 24
    tests: int = 64
    attends: bool = False
    imported: Mapping[str, Any] = field(default_factory=dict[str, Any])

    def model(self, cache: Path) -> Path:
        """The network's file. Raises FetchError."""
        return self.source.model(cache)
