"""What is compared: one case is a quantizer with its settings. A case makes one or more variants of a network."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields
from fnmatch import fnmatchcase
from typing import Final

from quantune_mlir.numerics.schemes import Scheme
from quantune_mlir.workflow.policy import PlanPolicy

OURS: Final = "ours"
ONNXRUNTIME: Final = "onnxruntime"
NNCF: Final = "nncf"
GRANULARITIES: Final = ("per-channel", "per-tensor")
METHODS: Final = ("minmax", "entropy", "percentile")
DEFAULT: Final = "default"
ACCURACY_CONTROL: Final = "accuracy-control"
MAX_DROP: Final = 0.01
"""What NNCF's accuracy control and our `max-drop` may lose: a share of the samples."""

REFERENCE: Final = "reference"
"""The case that all others are compared with: the network as it is, run by ONNX Runtime."""


@dataclass(frozen=True)
class Case:
    """A name such as `ours/per-channel/asymmetric`: first the quantizer, then its settings."""

    name: str

    @property
    def quantizer(self) -> str:
        """Whose it is."""
        return self.name.partition("/")[0]

    @property
    def settings(self) -> list[str]:
        """What follows the quantizer."""
        return self.name.split("/")[1:]

    @property
    def file_stem(self) -> str:
        """The name, fit for a file."""
        return self.name.replace("/", "_")


def ours(granularity: str, scheme: Scheme = Scheme.ASYMMETRIC, *more: str) -> Case:
    return Case("/".join([OURS, granularity, str(scheme), *more]))


def onnxruntime_static(method: str, granularity: str) -> Case:
    return Case(f"{ONNXRUNTIME}/{method}/{granularity}")


def nncf(setting: str) -> Case:
    return Case(f"{NNCF}/{setting}")


def has_max_drop() -> bool:
    """Whether our policies know a promised accuracy."""
    return "max_drop" in {field.name for field in fields(PlanPolicy)}


def all_cases() -> list[Case]:
    """The default scheme first, then the peers from the quickest to the slowest, then the other schemes."""
    found = [Case(REFERENCE), *(ours(granularity) for granularity in GRANULARITIES)]
    if has_max_drop():
        found += [ours(granularity, Scheme.ASYMMETRIC, "max-drop") for granularity in GRANULARITIES]
    found.append(nncf(DEFAULT))
    found += [onnxruntime_static(method, granularity) for method in METHODS for granularity in GRANULARITIES]
    found.append(nncf(ACCURACY_CONTROL))
    others = [scheme for scheme in Scheme if scheme is not Scheme.ASYMMETRIC]
    return found + [ours(granularity, scheme) for scheme in others for granularity in GRANULARITIES]


def matching(patterns: Iterable[str]) -> list[Case]:
    """The cases that match a pattern, and the reference. Raises ValueError if a pattern matches none."""
    known = all_cases()
    wanted = list(patterns)
    for pattern in wanted:
        if not any(fnmatchcase(case.name, pattern) for case in known):
            raise ValueError(f"no case matches {pattern!r}; known: {', '.join(case.name for case in known)}")
    return [case for case in known if case.name == REFERENCE or any(fnmatchcase(case.name, p) for p in wanted)]
