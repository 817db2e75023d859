"""Commands run in a child process, so that a crash becomes an error.

MLIR's parser and verifier are C++ that a malformed file can bring down. The child does all the work, so that nothing
is read twice; what is paid is a fork, before anything large is imported.
"""

from __future__ import annotations

import atexit
import gc
import importlib
import os
import signal
import sys
from collections.abc import Generator
from contextlib import contextmanager, nullcontext, suppress
from types import FrameType
from typing import Final, NoReturn

from quantune_mlir.cli.boundary import FAILED, boundary, fail
from quantune_mlir.cli.stopping import HEEDED, reports_stop
from quantune_mlir.files.processes import die_with_parent
from quantune_mlir.printable import shortened

_NEW_OBJECTS: Final = 300_000
"""After so many Python looks for garbage, not after 700: modules and IR, of which we make much, leave none."""
_NO_WAITING_THREADS: Final = "OPENBLAS_NUM_THREADS", "1"
"""NumPy's other threads would wait for work by spinning, on a core that compilers need; our products are small."""


def run_apart(program: str, module: str) -> None:
    """Call the `main` of a module in a child process, and end as it does. Signals must be heeded already."""
    gc.set_threshold(_NEW_OBJECTS)
    os.environ.setdefault(*_NO_WAITING_THREADS)
    _open_standard_streams()
    if hasattr(os, "fork"):
        parent = os.getpid()
        signal.pthread_sigmask(signal.SIG_BLOCK, HEEDED)  # until both processes know what to do
        child = os.fork()
        if child:
            _await(child, program)
        die_with_parent()
        if os.getppid() != parent:
            sys.exit(1)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, HEEDED)
    with (
        _ending_at_once() if hasattr(os, "fork") else nullcontext(),
        nullcontext() if "--debug" in sys.argv else boundary(program),
        reports_stop(program),
    ):
        importlib.import_module(module).main(prog_name=program)


@contextmanager
def _ending_at_once() -> Generator[None]:
    """Lets this process, a child, end after its exit handlers: to take apart what it has in memory takes a while."""
    status = FAILED

    def end() -> NoReturn:
        failed = False
        for stream in (sys.stdout, sys.stderr):
            try:
                stream.flush()
            except (OSError, ValueError):
                failed = True
        os._exit(status or failed)

    atexit.register(end)  # The first that was registered is called last.
    try:
        yield
        status = 0
    except SystemExit as ended:
        status = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
        raise


def _open_standard_streams() -> None:
    """Streams that the caller closed lead nowhere, lest files be opened in their place; any text can be printed."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    sys.stdin, sys.stdout, sys.stderr = (
        stream or open(number, mode)  # noqa: SIM115
        for number, (mode, stream) in enumerate((("r", sys.stdin), ("w", sys.stdout), ("w", sys.stderr)))
    )
    with suppress(AttributeError):
        sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]


def _await(child: int, program: str) -> NoReturn:
    """End as the child does; a crash is an error."""

    def forward(number: int, frame: FrameType | None) -> None:
        with suppress(ProcessLookupError):
            os.kill(child, number)

    for number in HEEDED:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, forward)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, HEEDED)
    _, ended = os.waitpid(child, 0)
    status = os.waitstatus_to_exitcode(ended)
    if status >= 0:
        os._exit(status)  # Nothing was printed here, and exit handlers are the child's.
    name = signal.Signals(-status).name
    if -status in HEEDED:
        fail(program, f"ended by {name}", 128 - status)
    if -status == signal.SIGKILL:
        fail(program, "error: killed, as happens when memory runs out", 128 - status)
    files = [shortened(argument) for argument in sys.argv[1:] if _is_file(argument)]
    where = f"{', '.join(files)}: " if files else ""
    fail(program, f"error: {where}MLIR or IREE crashed on it ({name})\nremedy: the file is malformed; make it again")


def _is_file(argument: str) -> bool:
    try:
        return not argument.startswith("-") and os.path.isfile(argument)
    except ValueError:
        return False
