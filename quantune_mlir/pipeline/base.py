"""What a pass is: a frozen dataclass whose fields are its command-line options."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from quantune_mlir.mlir.bindings import ir


@dataclass(frozen=True)
class Pass:
    """Transforms a module in place.

    The module verifies before and after `apply`, not necessarily during it. The first line of a pass's docstring
    is its help text; its fields are its options, spelled with hyphens: `weights_axis` is `weights-axis=...`.
    """

    name: ClassVar[str]

    def apply(self, module: ir.Module) -> None:
        """Rewrite `module` in place. Raises PassError if the module does not meet what the pass requires."""
        raise NotImplementedError
