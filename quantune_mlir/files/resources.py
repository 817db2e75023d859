"""The data files that come with the package: named pipelines, targets, the dialect, kernels, C templates."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Final

from quantune_mlir.errors import PassError

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

_PACKAGE: Final = "quantune_mlir"
_PIPELINE_SUFFIX: Final = ".pipeline"
_TARGET_SUFFIX: Final = ".toml"
_COMPILED: Final = "__pycache__"


def pipelines() -> list[str]:
    """The names of the named pipelines, sorted."""
    return sorted(_by_stem(files(_PACKAGE) / "pipelines", _PIPELINE_SUFFIX))


def pipeline_text(name: str) -> str:
    """The text of pipelines/`name`.pipeline. Raises PassError if there is none."""
    known = _by_stem(files(_PACKAGE) / "pipelines", _PIPELINE_SUFFIX)
    if name not in known:
        raise PassError(f"unknown pipeline '{name}'", remedy=f"known: {', '.join(sorted(known)) or 'none'}")
    return known[name].read_text(encoding="utf-8")


def dialect_path() -> Traversable:
    """The IRDL definition of the quantune dialect, a file for `iree-opt --irdl-file=`."""
    return files(_PACKAGE) / "dialects" / "quantune.irdl.mlir"


def targets() -> list[str]:
    """The names of all target descriptions, sorted."""
    return sorted(_by_stem(files(_PACKAGE) / "pipelines" / "targets", _TARGET_SUFFIX))


def target_text(name: str) -> str:
    """The text of pipelines/targets/`name`.toml, which has to be there."""
    return (files(_PACKAGE) / "pipelines" / "targets" / f"{name}{_TARGET_SUFFIX}").read_text(encoding="utf-8")


def isa_text(name: str) -> str:
    """What targets of an instruction set share: the text of pipelines/targets/isa/`name`.toml."""
    return target_text(f"isa/{name}")


@cache
def code_digest() -> str:
    """SHA-256 of all that comes with the package: our code, kernels, pipelines, targets and templates."""
    found = hashlib.sha256()
    for name, file in sorted(_code(files(_PACKAGE), "")):
        found.update(name.encode() + b"\0" + hashlib.sha256(file.read_bytes()).digest())
    return found.hexdigest()


def _code(folder: Traversable, path: str) -> Iterator[tuple[str, Traversable]]:
    for entry in folder.iterdir():
        if not entry.is_dir():
            yield path + entry.name, entry
        elif entry.name != _COMPILED:
            yield from _code(entry, f"{path}{entry.name}/")


def _by_stem(folder: Traversable, suffix: str) -> dict[str, Traversable]:
    if not folder.is_dir():
        return {}
    return {file.name.removesuffix(suffix): file for file in folder.iterdir() if file.name.endswith(suffix)}


def kernel_text(name: str) -> str:
    """A kernel written as MLIR: the text of quantune_mlir/kernels/texts/`name`."""
    return (files(_PACKAGE) / "kernels" / "texts" / name).read_text(encoding="utf-8")


def c_template(name: str) -> str:
    """A file of a C bundle, with gaps: the text of quantune_mlir/backend/deliverables/templates/`name`."""
    return (files(_PACKAGE) / "backend" / "deliverables" / "templates" / name).read_text(encoding="utf-8")
