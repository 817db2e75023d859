"""Where errors end: what a process says instead of a traceback."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
import traceback
from collections.abc import Generator
from typing import Final, NoReturn

from quantune_mlir.errors import QuantuneError
from quantune_mlir.printable import printable, shortened

FAILED: Final = 1


def fail(program: str, what: str, status: int = FAILED) -> NoReturn:
    """Say what went wrong, on stderr, and end the process."""
    with contextlib.suppress(OSError, ValueError):
        print(f"{program}: {printable(what, lines=True)}", file=sys.stderr, flush=True)
    sys.exit(status)


@contextlib.contextmanager
def boundary(program: str) -> Generator[None]:
    """Turns whatever is raised inside into one message and status 1.

    What is no QuantuneError, nor the system's refusal, is a mistake of ours: its traceback goes to a file.
    """
    try:
        yield
        sys.stdout.flush()
    except QuantuneError as error:
        fail(program, f"error: {error}")
    except BrokenPipeError:
        _forget_stdout()
        sys.exit(FAILED)
    except MemoryError:
        fail(program, "error: there is not enough memory for this")
    except OSError as error:
        _forget_stdout()
        fail(program, f"error: {_refusal(error)}")
    except Exception as error:
        fail(program, _internal(error))


def _refusal(error: OSError) -> str:
    """What the system has against a file, or stdout where it names none."""
    return f"{error.filename or 'the output'} cannot be written or read: {error.strerror}"


def _forget_stdout() -> None:
    """Python would write what is left in the buffer when it ends, and complain again."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _internal(error: Exception) -> str:
    """One line about a mistake of ours, and where its traceback is."""
    first = next(iter(str(error).splitlines()), "")
    what = shortened(f"{type(error).__name__}: {first}".removesuffix(": "))
    return f"internal error: {what}; {_saved(error)}; please report it, with the input if you can"


def _saved(error: Exception) -> str:
    try:
        with tempfile.NamedTemporaryFile(
            "w", prefix="quantune-traceback-", suffix=".txt", delete=False, encoding="utf-8", errors="backslashreplace"
        ) as file:
            file.write(f"Python {sys.version}\narguments: {sys.argv[1:]!r}\n\n")
            traceback.print_exception(type(error), error, error.__traceback__, file=file)
    except OSError as reason:
        return f"its traceback cannot be saved ({reason.strerror})"
    return f"its traceback is in {file.name}"
