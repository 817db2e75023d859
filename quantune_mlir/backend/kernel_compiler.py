"""Object files of kernels, made by a process of their own while this one goes on: see kernel_process.py."""

from __future__ import annotations

import atexit
import json
import os
import pickle
import signal
import subprocess
import sys
from concurrent.futures import Future
from contextlib import suppress
from queue import SimpleQueue
from threading import Lock, Thread
from typing import Final

from quantune_mlir.backend.kernel_job import KernelJob, NoMore
from quantune_mlir.errors import CompileError
from quantune_mlir.files.processes import peak_mib

_STARTING: Final = (
    "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN); "
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
    "from quantune_mlir.backend.kernel_process import main; main()"
)
"""A terminal's interrupt goes to all processes; it is for the one that started this, even before all is imported."""


class KernelCompiler:
    """The process, for all programs of this one. It ends with it, however that ends: its stdin is closed then."""

    def __init__(self) -> None:
        """Start it. Raises CompileError if it cannot be started."""
        self._sent: SimpleQueue[KernelJob | NoMore] = SimpleQueue()
        self._awaited: dict[str, Future[bytes]] = {}
        self._failure: str | None = None
        self._changing = Lock()
        self.peak_mib = 0
        """The most memory that any of its own processes has taken."""
        command = [sys.executable, "-c", _STARTING, json.dumps(sys.path)]
        try:
            self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        except OSError as error:
            raise CompileError(f"what compiles kernels cannot be started: {error.strerror}") from error
        for work in (self._send, self._receive):
            Thread(target=work, daemon=True).start()

    @property
    def ended(self) -> bool:
        """Whether another one is needed."""
        return self.process.poll() is not None

    def compile(self, job: KernelJob) -> Future[bytes]:
        """The object file of a kernel, made when there are some to make, or `hurry` is called.

        Its exceptions are CompileError, if IREE refuses the kernel, and OSError, if files cannot be written.
        """
        with self._changing:
            known = self._awaited.get(job.key)
            if known is not None:
                return known
            future = Future[bytes]()
            if self._failure is None:
                self._awaited[job.key] = future
                self._sent.put(job)
            else:
                future.set_exception(CompileError(self._failure))
            return future

    def end(self) -> None:
        """Have it end, whether it works or waits for more, and wait for that."""
        assert self.process.stdin is not None
        self.process.terminate()
        with suppress(OSError):
            self.process.stdin.close()
        self.process.wait()

    def hurry(self) -> None:
        """Have all made that was asked for."""
        self._sent.put(NoMore())

    def _send(self) -> None:
        assert self.process.stdin is not None
        try:
            while True:
                pickle.dump(self._sent.get(), self.process.stdin)
                if self._sent.empty():
                    self.process.stdin.flush()
        except OSError:
            pass  # `_receive` tells that it has ended.

    def _receive(self) -> None:
        assert self.process.stdout is not None
        try:
            while True:
                answers, self.peak_mib = pickle.load(self.process.stdout)
                for key, made in answers:
                    with self._changing:
                        future = self._awaited.pop(key)
                    if isinstance(made, Exception):
                        future.set_exception(made)
                    else:
                        future.set_result(made)
        except (EOFError, pickle.UnpicklingError):
            status = self.process.wait()
            how = f"crashed ({signal.Signals(-status).name})" if status < 0 else f"ended with status {status}"
            with self._changing:
                self._failure = f"what compiles kernels {how}"
                for future in self._awaited.values():
                    future.set_exception(CompileError(self._failure))


_STARTED: Final[dict[int, KernelCompiler]] = {}
"""By process: a fork of one has pipes that are not its own."""
_STARTING_ONE: Final = Lock()


def kernel_compiler() -> KernelCompiler:
    """That of this process, started now if there is none. Raises as that does."""
    with _STARTING_ONE:
        found = _STARTED.get(os.getpid())
        if found is None or found.ended:
            found = _STARTED[os.getpid()] = KernelCompiler()
        return found


@atexit.register
def _end() -> None:
    """Wait for it, so that what it took is known to be taken by this one."""
    found = _STARTED.get(os.getpid())
    if found is not None:
        found.end()


def peak_with_compilers() -> dict[str, int]:
    """What `peak_mib` tells, the processes that compile kernels included."""
    found, kernels = peak_mib(), _STARTED.get(os.getpid())
    if kernels is not None and "compiler" in found:
        found["compiler"] = max(found["compiler"], kernels.peak_mib)
    return found
