"""What a kind of input is to the fuzzer."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
DATA: Final = ROOT / "tests" / "data"


@dataclass(frozen=True)
class Surface:
    """A kind of input.

    Attributes:
        suffix: of its files.
        seeds: valid ones.
        mutate: a change.
        run: what reads them.
        share: of the inputs.
        check: what compares the result of one that was accepted with that of another implementation.
    """

    name: str
    suffix: str
    seeds: Callable[[], Sequence[bytes]]
    mutate: Callable[[bytes, random.Random], bytes]
    run: Callable[[Path], object]
    share: int
    check: Callable[[Path], object] | None = None
