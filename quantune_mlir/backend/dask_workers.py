"""Workers of a dask cluster. A worker needs dask.distributed, NumPy and IREE's runtime; this package it does not."""

from __future__ import annotations

import importlib
import pickle
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from types import TracebackType
from typing import Any, Final, TypeVar

from quantune_mlir._versions import installed_version
from quantune_mlir.backend.workers import Run
from quantune_mlir.errors import WorkerError
from quantune_mlir.hardware.host_isa import host_flags

T = TypeVar("T")

_RUNTIME: Final = "iree-base-runtime"
_SECONDS: Final = 10
_AHEAD: Final = 2
"""Shards that are on their way for each that is worked on: not all samples lie in memory at once."""


class DaskWorkers:
    """The workers of the cluster whose scheduler has this address."""

    def __init__(self, address: str) -> None:
        """Connect.

        Raises:
            WorkerError: dask.distributed is not installed, nobody answers, or there is no worker.
        """
        try:
            distributed: Any = importlib.import_module("distributed")
            self._cloudpickle: Any = importlib.import_module("cloudpickle")
        except ImportError as error:
            raise WorkerError(
                "dask.distributed is not installed", where=address, remedy="pip install 'quantune-mlir[dask]'"
            ) from error
        self._address = address
        self._config: Any = importlib.import_module("dask").config
        try:
            self._client = distributed.Client(address, timeout=_SECONDS, set_as_default=False)
        except (OSError, ValueError) as error:
            raise WorkerError(
                f"no scheduler answers: {error}", where=address, remedy="start one: dask scheduler --port 8786"
            ) from error
        threads: dict[str, int] = self._client.nthreads()
        self.count = sum(threads.values())
        if not self.count:
            self.close()
            raise WorkerError("the cluster has no workers", where=address, remedy=f"start one: dask worker {address}")

    def map(self, work: Callable[[list[Run]], T], shards: Iterable[list[Run]]) -> Iterator[T]:
        """What `work` gives for each shard, in their order; what was lost with a worker is made again by another.

        Raises:
            WorkerError: a worker cannot run it, or the scheduler is gone.
        """
        asked = _asked()
        wanted = installed_version(_RUNTIME), host_flags()
        program = self._submit(bytes, self._by_value(work))
        pending: deque[Any] = deque()
        try:
            for shard in shards:
                pending.append(self._submit(asked, program, pickle.dumps(shard), wanted))
                if len(pending) >= (1 + _AHEAD) * self.count:
                    yield self._result(pending.popleft())
            while pending:
                yield self._result(pending.popleft())
        finally:
            for future in (*pending, program):
                future.release()

    def close(self) -> None:
        """Leave the cluster, which goes on."""
        self._client.close()

    def __enter__(self) -> DaskWorkers:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _by_value(self, work: Callable[[list[Run]], T]) -> bytes:
        """Work with the code that it needs of this package, so that workers need not have it, nor the same version."""
        package = importlib.import_module(__name__.partition(".")[0])
        self._cloudpickle.register_pickle_by_value(package)
        try:
            return self._cloudpickle.dumps(work)
        finally:
            self._cloudpickle.unregister_pickle_by_value(package)

    def _submit(self, function: Callable[..., Any], *arguments: Any) -> Any:
        with self._config.set({"distributed.admin.large-graph-warning-threshold": "1GB"}):
            return self._client.submit(function, *arguments, pure=False)

    def _result(self, future: Any) -> Any:
        try:
            done, result = future.result()
        except Exception as error:  # KilledWorker, CancelledError, TimeoutError, CommClosedError
            raise WorkerError(
                f"the work was given up: {type(error).__name__}: {error}",
                where=self._address,
                remedy="look into the workers' logs: they may have too little memory",
            ) from error
        finally:
            future.release()
        if not done:
            raise WorkerError(result, where=self._address)
        return result


def _asked() -> Callable[[bytes, bytes, tuple[str, frozenset[str]]], tuple[bool, Any]]:
    """A function that is sent as it stands, whatever is installed on a worker: it knows nothing of this package."""

    def run(work: bytes, shard: bytes, wanted: tuple[str, frozenset[str]]) -> tuple[bool, Any]:
        import importlib.metadata
        import pathlib
        import pickle
        import platform

        runtime, flags = wanted
        try:
            mine = importlib.metadata.version("iree-base-runtime")
        except importlib.metadata.PackageNotFoundError:
            mine = None
        if mine != runtime:
            found = "has no iree-base-runtime" if mine is None else f"has iree-base-runtime {mine}"
            return False, f"worker {platform.node()} {found}; pip install iree-base-runtime=={runtime} there"
        cpu = pathlib.Path("/proc/cpuinfo")
        said = set(cpu.read_text(errors="replace").split()) if cpu.is_file() else set(flags)
        vectors = ("avx", "amx", "sse", "ssse", "fma", "f16c", "bmi", "gfni", "vaes", "vpcl", "asimd", "sve", "i8mm")
        missing = sorted(flag for flag in flags - said if flag.startswith(vectors))
        if missing:
            return False, f"the CPU of worker {platform.node()} lacks {', '.join(missing)}, which this machine's has"
        try:
            return True, pickle.loads(work)(pickle.loads(shard))
        except Exception as error:
            return False, f"worker {platform.node()}: {type(error).__name__}: {error}"

    return run
