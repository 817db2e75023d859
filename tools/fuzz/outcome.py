"""What became of an input."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Final

from quantune_mlir.errors import QuantuneError

ACCEPTED: Final = "accepted"
REFUSED: Final = "refused"
CONTAINED: Final = "contained"
"""MLIR crashed, in a child of the command, which said so and named the file."""
GOOD: Final = frozenset({ACCEPTED, REFUSED, CONTAINED})
DIFFERS: Final = "differs"
"""Accepted, and something else is computed than another implementation does."""
CRASH: Final = "crash"
HANG: Final = "hang"
MEMORY: Final = "memory"


class ContainedCrash(Exception):
    """See CONTAINED."""


class Disagreement(Exception):
    """See DIFFERS."""


def outcome_of(run: Callable[[Path], object], path: Path) -> str:
    """Run an input in this process: accepted, refused with a proper error, or the place of a traceback."""
    try:
        run(path)
    except QuantuneError:
        return REFUSED
    except ContainedCrash:
        return CONTAINED
    except Disagreement:
        return DIFFERS
    except SystemExit as ended:
        return ACCEPTED if not ended.code else REFUSED
    except BaseException as error:
        frames = traceback.extract_tb(error.__traceback__)
        ours = [f for f in frames if "quantune_mlir" in f.filename] or frames
        return f"traceback {type(error).__name__} at {Path(ours[-1].filename).name}:{ours[-1].lineno}"
    return ACCEPTED
