"""A user's own yardstick: a Python file with a function `score(outputs, references, labels)`.

It is run in this process, as the user's own program would be.
"""

from __future__ import annotations

import importlib.util
import math
import os
import sys
import traceback
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from quantune_mlir.backend.program import Array
from quantune_mlir.errors import ScoreError

_FUNCTION: Final = "score"
_SIGNATURE: Final = f"{_FUNCTION}(outputs, references, labels)"
_MODULE: Final = "quantune_score_file"


@dataclass(frozen=True)
class Scorer:
    """The function of one file.

    Attributes:
        path: the file.
        function: it.
    """

    path: Path
    function: Callable[..., Any]

    @staticmethod
    def load(path: Path | str) -> Scorer:
        """Run a file and take its function.

        Raises:
            ScoreError: there is no such file, it fails, or it has no such function.
        """
        path = Path(path)
        if not path.is_file():
            raise ScoreError(
                "no such file", where=str(path), remedy=f"write a Python file with a function {_SIGNATURE}"
            )
        spec = importlib.util.spec_from_file_location(_MODULE, path)
        if spec is None or spec.loader is None:
            raise ScoreError("is no Python file", where=str(path), remedy="call it FILE.py")
        module = importlib.util.module_from_spec(spec)
        sys.modules[_MODULE] = module  # dataclasses look their module up
        with _told_where(path), _importing_beside(path):
            spec.loader.exec_module(module)
        function = getattr(module, _FUNCTION, None)
        if not callable(function):
            raise ScoreError(
                f"has no function {_FUNCTION!r}", where=str(path), remedy=f"define {_SIGNATURE}; it returns a number"
            )
        return Scorer(path, function)

    def __call__(self, outputs: Sequence[Array], references: Sequence[Array], labels: Array | None) -> float:
        """The score of a data set: the higher, the better.

        Args:
            outputs: of the program, one array for each of the model's outputs, samples along axis 0.
            references: the same of fp32.
            labels: of the samples, along axis 0, if the data has any.

        Raises:
            ScoreError: the function fails, or what it returns is no finite number.
        """
        with _told_where(self.path), _importing_beside(self.path):
            value = self.function(list(outputs), list(references), labels)
        if isinstance(value, np.ndarray) and value.size == 1:
            value = value.item()
        if isinstance(value, bool) or not isinstance(value, int | float | np.number) or not math.isfinite(float(value)):
            raise ScoreError(
                f"{_FUNCTION} returned {value!r:.60}, which is no finite number",
                where=self._defined,
                remedy="return one number for all samples: the higher, the better",
            )
        return float(value)

    @property
    def _defined(self) -> str:
        code = getattr(self.function, "__code__", None)
        return str(self.path) if code is None else f"{self.path}, line {code.co_firstlineno}"


@contextmanager
def _importing_beside(path: Path) -> Generator[None]:
    """Lets a file import what lies beside it."""
    folder = str(path.resolve().parent)
    sys.path.append(folder)
    try:
        yield
    finally:
        sys.path.remove(folder)


@contextmanager
def _told_where(path: Path) -> Generator[None]:
    """Turns what a file raises into a ScoreError that names the line; what it prints goes to stderr."""
    try:
        with redirect_stdout(sys.stderr):
            yield
    except SyntaxError as error:
        file = path if error.filename and _is_same(error.filename, path) else error.filename
        raise ScoreError(f"SyntaxError: {error.msg}", where=f"{file}, line {error.lineno}", remedy="mend it") from error
    except (Exception, SystemExit) as error:
        own = [frame for frame in traceback.extract_tb(error.__traceback__) if _is_same(frame.filename, path)]
        where = f"{path}, line {own[-1].lineno}" if own else str(path)
        raise ScoreError(
            f"{type(error).__name__}: {error}",
            where=where,
            remedy=f"mend it ({_SIGNATURE} gets lists of arrays, samples along axis 0); --debug shows the traceback",
        ) from error


def _is_same(name: str, path: Path) -> bool:
    return os.path.realpath(name) == os.path.realpath(path)
