from dataclasses import dataclass
from typing import ClassVar

from quantune_mlir.passes.base import Pass


@dataclass(frozen=True)
class CancelTransposes(Pass):
    """TODO."""

    name: ClassVar[str] = "quantune-cancel-transposes"
