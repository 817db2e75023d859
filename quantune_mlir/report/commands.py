"""Command lines that make a run again, or choose another plan of its front."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from quantune_mlir.printable import printable
from quantune_mlir.report.summary_file import Summary

_UNKNOWN = ("MODEL", "--calibration", "DATA")


def repeated(summary: Summary) -> str:
    """What makes the run again."""
    given = any(layer.decision is not None and layer.decision.ground == "given" for layer in summary.layers)
    return _command(summary, ("--plan", "plan.yaml") if given else summary.command.policy)


def choosing(summary: Summary, options: Sequence[str]) -> str:
    """What chooses a plan of the front."""
    return _command(summary, (*options, *summary.command.circumstances))


def _command(summary: Summary, policy: Sequence[str]) -> str:
    arguments = summary.command.arguments or _UNKNOWN
    return printable(shlex.join(["quantune", "quantize", *arguments, *policy, "--output", "DIR"]))
