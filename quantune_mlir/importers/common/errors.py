"""How an operator handler says no."""

from __future__ import annotations


class Unsupported(Exception):
    """Raised by a handler: this node cannot be imported, and why. Collected, never shown by itself."""
