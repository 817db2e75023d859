"""Which part of IREE each part of the package may import; the layers themselves are import-linter's contracts."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import quantune_mlir

PACKAGE = Path(quantune_mlir.__file__).parent
RUNNING = ("iree.runtime", "iree.compiler.tools", "iree.compiler.api")


def imported_modules(source: str) -> Iterator[str]:
    """Names of all that `source` imports, `from a import b` as `a.b`, wherever in the file it stands."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def misplaced_imports(path: str, source: str) -> list[str]:
    """The imports from IREE that the file at `path`, relative to the package, must not make."""
    iree = [name for name in imported_modules(source) if name.split(".")[0] == "iree"]
    running = [name for name in iree if name.startswith(RUNNING)]
    if path == "mlir/bindings.py":
        return running
    if path.startswith("backend/"):
        return [name for name in iree if name not in running]
    return iree


def test_only_the_bindings_module_and_execution_import_iree() -> None:
    misplaced = {
        path: names
        for file in sorted(PACKAGE.rglob("*.py"))
        if (names := misplaced_imports(path := file.relative_to(PACKAGE).as_posix(), file.read_text("utf-8")))
    }
    assert misplaced == {}


@pytest.mark.parametrize(
    ("path", "source", "expected"),
    [
        ("mlir/bindings.py", "from iree.compiler import ir", []),
        ("mlir/bindings.py", "import iree.runtime", ["iree.runtime"]),
        ("backend/program.py", "from iree import runtime\nfrom iree.compiler import tools", []),
        ("backend/program.py", "def f():\n    from iree.compiler import ir", ["iree.compiler.ir"]),
        ("passes/simplify/fold.py", "from iree.compiler.dialects import tosa", ["iree.compiler.dialects.tosa"]),
        ("numerics/ranges.py", "import numpy as np", []),
    ],
)
def test_misplaced_imports(path: str, source: str, expected: list[str]) -> None:
    assert misplaced_imports(path, source) == expected


TABLES_OF_WHAT_HAS_ONE_FOR_EACH_OP = {
    "adjoint/slopes.py",
    "graph/softmax.py",
    "kernels/emit/vector_ops.py",
    "kernels/emit/row_reductions.py",
    "kernels/fusion/group.py",
    "mlir/tosa/build.py",
    "mlir/tosa/traits.py",
    "passes/simplify/transpose_rules.py",
}
"""Kernels, rules and patterns of ops. What is true of an op stands in the table of traits alone."""


def tables_of_ops(source: str) -> list[int]:
    """The lines where `source` lists names of TOSA ops, or puts such a name together."""
    found: list[int] = []
    for node in ast.walk(ast.parse(source)):
        inside = node.keys if isinstance(node, ast.Dict) else getattr(node, "elts", [])
        names = [each for each in inside if isinstance(each, ast.Constant) and str(each.value).startswith("tosa.")]
        parts = node.values if isinstance(node, ast.JoinedStr) else []
        prefixed = bool(parts) and isinstance(parts[0], ast.Constant) and str(parts[0].value).startswith("tosa.")
        if len(names) > 1 or (prefixed and "{" not in str(parts[0].value)):
            found.append(node.lineno)
    return found


def test_no_table_but_that_of_traits_says_what_tosa_ops_are() -> None:
    found = {
        path: lines
        for file in sorted(PACKAGE.rglob("*.py"))
        if (lines := tables_of_ops(file.read_text("utf-8")))
        and (path := file.relative_to(PACKAGE).as_posix()) not in TABLES_OF_WHAT_HAS_ONE_FOR_EACH_OP
    }
    assert found == {}


def test_tables_of_ops() -> None:
    assert tables_of_ops('A = {"tosa.add", "tosa.sub"}\nB = ("tosa.add",)\nC = f"tosa.{name}"') == [1, 3]


def tosa_ops_built(source: str) -> list[int]:
    """The lines where `source` imports TOSA's bindings, or builds an op that it names."""
    found: list[int] = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and any(alias.name == "tosa" for alias in node.names):
            found.append(node.lineno)
        elif isinstance(node, ast.Call) and ast.unparse(node.func) == "ir.Operation.create":
            name = node.args[0]
            if isinstance(name, ast.Constant | ast.JoinedStr) and "tosa." in ast.unparse(name):
                found.append(node.lineno)
    return found


def test_tosa_ops_are_built_in_one_place() -> None:
    found = {
        path
        for folder in (PACKAGE, PACKAGE.parent / "tools")
        for file in sorted(folder.rglob("*.py"))
        if tosa_ops_built(file.read_text("utf-8")) and (path := file.relative_to(folder).as_posix())
    }
    assert found == {"mlir/bindings.py", "mlir/tosa/build.py"}


def test_tosa_ops_built() -> None:
    source = 'from bindings import ir, tosa\nir.Operation.create("tosa.add")\nir.Operation.create(op.name)'
    assert tosa_ops_built(source) == [1, 2]
