"""The one exception tree. Every error a user can cause says what, where, and what to do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from types import UnionType
from typing import get_args

from quantune_mlir.printable import printable, shortened


class QuantuneError(Exception):
    """A mistake that the user can mend.

    Args:
        what: one sentence: what is wrong.
        where: the file, layer, tensor or option concerned.
        remedy: what to do about it.
    """

    def __init__(self, what: str, *, where: str | None = None, remedy: str | None = None) -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.remedy = remedy

    def __str__(self) -> str:
        what = printable(self.what, lines=True)
        lines = [f"{printable(self.where)}: {what}" if self.where else what]
        if self.remedy:
            lines.append(f"remedy: {printable(self.remedy, lines=True)}")
        return "\n".join(lines)


class ArgumentError(QuantuneError, TypeError):
    """A function was given something of another kind than it takes."""


def expect(given: object, kind: type | UnionType, how: str) -> None:
    """Raise ArgumentError, with the remedy to make a `kind` by `how`, unless `given` is one."""
    if not isinstance(given, kind):
        wanted, *_ = get_args(kind) if isinstance(kind, UnionType) else (kind,)
        raise ArgumentError(
            f"{wanted.__name__} is needed here, not {type(given).__name__}", remedy=f"make it with quantune_mlir.{how}"
        )


class ModelError(QuantuneError):
    """The model file is missing, broken, or not something that can be quantized."""


class QuantizedModelError(ModelError):
    """The model is quantized already, and what was asked for is done with fp32 models only."""


@dataclass(frozen=True)
class UnsupportedNode:
    """A node of a model that cannot be imported."""

    name: str
    op_type: str
    reason: str


class UnsupportedOperatorsError(ModelError):
    """All nodes of a model that cannot be imported, at once."""

    def __init__(
        self, nodes: Sequence[UnsupportedNode], *, where: str | None = None, remedy: str | None = None
    ) -> None:
        listing = "\n".join(f"  {_name(n.name)} ({_name(n.op_type)}): {_name(n.reason, 1000)}" for n in nodes)
        super().__init__(
            f"{len(nodes)} node(s) cannot be imported:\n{listing}",
            where=where,
            remedy=remedy or "rewrite or fold these nodes in the model before quantizing it",
        )
        self.nodes = tuple(nodes)


def _name(text: str, length: int = 200) -> str:
    return printable(shortened(text, length))


class DataError(QuantuneError):
    """Calibration or evaluation samples do not fit the model, or hold NaN or Inf."""


class ScoreError(QuantuneError):
    """A user's own score function is missing, fails, or returns no number."""


class OptionsError(QuantuneError):
    """A file of options is malformed, or has an option that there is not."""


class PlanError(QuantuneError):
    """A precision plan does not fit the model."""


class PassError(QuantuneError):
    """A pass was asked for wrongly, or the module does not meet what the pass requires."""


class TilesError(QuantuneError):
    """A file of tuned tiles is malformed, or was made for another instruction set."""


class TargetError(QuantuneError):
    """An unknown or malformed target description."""


class BudgetError(QuantuneError):
    """A network needs more memory than there is."""


class OutputError(QuantuneError):
    """The output cannot be written, or exists already."""


class CompileError(QuantuneError):
    """IREE refused a module."""


class PeerError(QuantuneError):
    """A peer to measure against is unknown, not installed, or cannot run the model."""


class WorkerError(QuantuneError):
    """Other machines cannot be reached, or cannot run what they are given."""


class IreeVersionError(QuantuneError, ImportError):
    """The installed IREE is missing, or not the one that this version of the project is made for."""
