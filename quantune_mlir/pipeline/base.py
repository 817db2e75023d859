"""What a pass is: a frozen dataclass whose fields are its command-line options."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from quantune_mlir.graph.network import Network
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


@dataclass(frozen=True)
class NetworkPass(Pass):
    """A pass over the network that @main is. The driver finds a network once for all passes that leave it as it is.

    Attributes:
        preserves_network: whether the pass changes no more than attributes that the network's facts do not rest on.
    """

    preserves_network: ClassVar[bool] = False

    def apply(self, module: ir.Module) -> None:  # noqa: D102
        self.apply_to(Network.of(module))

    def apply_to(self, network: Network) -> None:
        """Rewrite the network's function in place; raises as `apply` does."""
        raise NotImplementedError
