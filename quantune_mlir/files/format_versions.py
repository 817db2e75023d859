"""Every format of ours has a number. A file of a newer one is refused by that, not by what is new in it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, get_args

from quantune_mlir.errors import QuantuneError

if TYPE_CHECKING:
    from pydantic import BaseModel


def check_version(
    version: Any, known: Sequence[int], *, error: type[QuantuneError], where: str | None, line: int | None = None
) -> None:
    """Refuse a file of a later version than any of `known`; whatever else is wrong with it is told by its reader.

    Raises:
        error: with both versions.
    """
    if isinstance(version, bool) or not isinstance(version, int) or version <= max(known):
        return
    place = "" if line is None else f"line {line}: "
    raise error(
        f"{place}format {version} is later than what this version of quantune-mlir reads, up to {max(known)}",
        where=where,
        remedy="read it with the version of quantune-mlir that wrote it, or a later one",
    )


def known_versions(model: type[BaseModel]) -> tuple[int, ...]:
    """Those that the field `format` of a file's model takes; none if it has no such field."""
    field = model.model_fields.get("format")
    return () if field is None else get_args(field.annotation)
