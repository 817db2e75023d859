"""Wheel and sdist of the project, as `pip install` gets them."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).parents[1]
_SHIPPED = ("quantune_mlir", "dialects", "pipelines", "pyproject.toml", "README.md", "LICENSE", ".gitignore")


def copy_source(folder: Path) -> Path:
    """A copy of the source tree, links kept, so that building leaves nothing behind; with a test that must stay out."""
    for name in _SHIPPED:
        if (REPOSITORY / name).is_dir():
            ignore = shutil.ignore_patterns("__pycache__")
            shutil.copytree(REPOSITORY / name, folder / name, symlinks=True, ignore=ignore)
        else:
            shutil.copy(REPOSITORY / name, folder)
    (folder / "tests").mkdir()
    (folder / "tests" / "test_something.py").touch()
    return folder


def build_wheel(source: Path, output: Path) -> Path:
    """The wheel of a source tree."""
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(output), str(source)]
    subprocess.run(command, check=True)
    (wheel,) = output.glob("*.whl")
    return wheel


def build_sdist(source: Path, output: Path) -> Path:
    """Its source distribution."""
    hatchling = "import hatchling.build as b, sys; print(b.build_sdist(sys.argv[1]))"
    subprocess.run([sys.executable, "-c", hatchling, str(output)], cwd=source, check=True)
    (sdist,) = output.glob("*.tar.gz")
    return sdist
