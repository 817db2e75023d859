"""Memory that the C library keeps."""

from __future__ import annotations

import ctypes
import sys


def give_back() -> None:
    """Return freed memory to the system, where the C library can.

    glibc keeps what many small blocks leave, as IR does, for other small ones. Programs and activations are large and
    would come on top of it.
    """
    if sys.platform == "linux" and (trim := getattr(ctypes.CDLL(None), "malloc_trim", None)) is not None:
        trim(0)
