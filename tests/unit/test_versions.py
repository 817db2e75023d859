from __future__ import annotations

import importlib
import importlib.metadata
import re
from pathlib import Path
from types import ModuleType

import pytest

import quantune_mlir.backend
import quantune_mlir.mlir
from quantune_mlir import _versions
from quantune_mlir.errors import IreeVersionError, QuantuneError

PINNED = importlib.metadata.version("iree-base-compiler")


def install(monkeypatch: pytest.MonkeyPatch, versions: dict[str, str]) -> None:
    """Make importlib.metadata report these versions, and nothing else as installed."""

    def version(distribution: str) -> str:
        if distribution not in versions:
            raise importlib.metadata.PackageNotFoundError(distribution)
        return versions[distribution]

    monkeypatch.setattr(importlib.metadata, "version", version)


def test_pinned_version_is_accepted(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, {"iree-base-compiler": PINNED, "iree-base-runtime": PINNED + "+local.build"})
    _versions.check_iree()


def test_other_version_is_refused_with_found_wanted_and_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, {"iree-base-compiler": "3.1.0", "iree-base-runtime": PINNED})
    with pytest.raises(IreeVersionError) as caught:
        _versions.check_iree()
    message = str(caught.value)
    assert f"iree-base-compiler 3.1.0, wanted {PINNED}" in message
    assert "iree-base-runtime " not in message
    assert f"pip install iree-base-compiler=={PINNED} iree-base-runtime=={PINNED}" in message


def test_both_wrong_distributions_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, {"iree-base-runtime": PINNED + ".dev1"})
    with pytest.raises(IreeVersionError, match=r"iree-base-compiler \(not installed\).*; iree-base-runtime .*\.dev1"):
        _versions.check_iree()


@pytest.mark.parametrize("package", [quantune_mlir.backend, quantune_mlir.mlir])
def test_import_of_what_needs_iree_makes_the_check(monkeypatch: pytest.MonkeyPatch, package: ModuleType) -> None:
    install(monkeypatch, {})
    with pytest.raises(ImportError, match="not installed") as caught:
        importlib.reload(package)
    assert isinstance(caught.value, QuantuneError)


@pytest.mark.parametrize("beside", [None, '[project]\nname = "another"\ndependencies = []\n'])
def test_without_a_checkout_the_installed_metadata_is_read(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, beside: str | None
) -> None:
    if beside is not None:
        (tmp_path / "pyproject.toml").write_text(beside)
    monkeypatch.setattr(_versions, "__file__", str(tmp_path / "quantune_mlir" / "_versions.py"))
    requirements = ["numpy>=1", "iree-base-compiler==9.9.1", 'iree-base-runtime == 9.9.2 ; python_version > "3"']
    monkeypatch.setattr(importlib.metadata, "requires", lambda _: requirements)
    with pytest.raises(IreeVersionError, match=r"wanted 9\.9\.1; .* wanted 9\.9\.2"):
        _versions.check_iree()


def test_no_other_file_of_the_package_names_a_version() -> None:
    package = Path(quantune_mlir.__file__).parent
    naming = [p.name for p in package.rglob("*.py") if re.search(rf"\b{re.escape(PINNED)}\b", p.read_text())]
    assert naming == []
