"""How a model is to be imported, whatever its kind."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from quantune_mlir.importers.common.edits import NO_EDITS, Edits
from quantune_mlir.importers.common.static_shapes import StaticShapes


@dataclass(frozen=True)
class ImportOptions:
    """What a user may say of a model.

    Attributes:
        shapes: what dynamic dimensions become.
        edits: inputs to pin to constants, and tensors to cut at.
        keep_quantized: take a model that is quantized already as it is, instead of refusing it.
    """

    shapes: StaticShapes = field(default_factory=StaticShapes)
    edits: Edits = NO_EDITS
    keep_quantized: bool = False


DEFAULT: Final = ImportOptions()
