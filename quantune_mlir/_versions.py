"""Compares the installed IREE with the version that pyproject.toml, the one home of the pin, asks for.

TOSA's syntax, its Python builders and IREE's flags change from release to release, so that another version fails in
ways that are hard to read. Better one clear error when the first module that needs IREE is imported.
"""

from __future__ import annotations

import importlib.metadata
import re
import sys
from pathlib import Path

from quantune_mlir.errors import IreeVersionError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

_DISTRIBUTION = "quantune-mlir"
_IREE_DISTRIBUTIONS = ("iree-base-compiler", "iree-base-runtime")


def check_iree() -> None:
    """Raise IreeVersionError unless the installed IREE compiler and runtime are those the project is pinned to."""
    pins = {name: pin for requirement in _requirements() for name, pin in [_exact_pin(requirement)] if pin}
    wrong: list[str] = []
    for name in _IREE_DISTRIBUTIONS:
        found = installed_version(name)
        if found is None or found.partition("+")[0] != pins[name]:
            wrong.append(f"{name} {found or '(not installed)'}, wanted {pins[name]}")
    if wrong:
        wanted = " ".join(f"{name}=={pins[name]}" for name in _IREE_DISTRIBUTIONS)
        raise IreeVersionError(
            "this version of quantune-mlir does not work with the installed IREE: found " + "; ".join(wrong),
            remedy=f"{sys.executable} -m pip install {wanted}",
        )


def _requirements() -> list[str]:
    """The project's requirements: from the checkout that the package stands in, else from its installed metadata."""
    pyproject = Path(__file__).parent.parent / "pyproject.toml"
    if pyproject.is_file():
        project = tomllib.loads(pyproject.read_text(encoding="utf-8")).get("project", {})
        if project.get("name") == _DISTRIBUTION:
            return project["dependencies"]
    return importlib.metadata.requires(_DISTRIBUTION) or []


def _exact_pin(requirement: str) -> tuple[str, str | None]:
    """Name and version of a requirement `name==version`; the version is None for any other form."""
    match = re.match(r"([A-Za-z0-9._-]+)\s*(?:==\s*([^\s;,*]+))?", requirement)
    return (match[1], match[2]) if match else (requirement, None)


def installed_version(distribution: str) -> str | None:
    """The version of a distribution; None if it is not installed as a package."""
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None
