"""Passes of upstream MLIR and IREE in a pipeline's text: MLIR itself says whether it knows them."""

from __future__ import annotations

from functools import cache
from typing import Final

from quantune_mlir.mlir.bindings import make_context, passmanager
from quantune_mlir.pipeline import registry
from quantune_mlir.pipeline.scanner import Scanner

ANCHOR: Final = "builtin.module"


def check_upstream(scanner: Scanner, name: str, text: str, start: int) -> None:
    """Raise PassError if MLIR refuses the pass called `name`, written as `text` at `start`."""
    problem = _problem(text)
    if problem is None:
        return
    if "does not refer to a registered pass" in problem:
        names = [*registry.available(), *registry.UPSTREAM_PASSES]
        raise scanner.error(f"unknown pass '{name}'", start, remedy=registry.nearest(name, names))
    raise scanner.error(f"upstream refuses '{text}': {problem}", start)


@cache
def _problem(text: str) -> str | None:
    """What MLIR has against the pass `text`, if anything."""
    try:
        passmanager.PassManager.parse(f"{ANCHOR}({text})", make_context())
    except ValueError as error:
        return str(error).strip()
    return None
