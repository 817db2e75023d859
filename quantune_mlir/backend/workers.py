"""A measuring program over samples: on this machine, or on workers, which need NumPy and IREE's runtime only.

What is asked of a program is a generator over runs, which gives NumPy arrays in tuples and lists, so that a worker
without this package can send them back. They come in the order of the samples, however these were split.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from itertools import islice
from math import ceil
from threading import Event, Lock
from typing import Any, Final, Protocol, TypeVar

from quantune_mlir.backend.compiler import KnownProgram, Source
from quantune_mlir.backend.compiling import Compiling, untold
from quantune_mlir.backend.program import Array, Program
from quantune_mlir.files.processes import processors
from quantune_mlir.samples.sample_set import SampleSet

T = TypeVar("T")

Run = tuple[int, tuple[Array, ...]]
"""Where in the data its first sample stands, and its inputs."""

Asked = Callable[[Program, Iterable[Run]], Iterator[T]]
"""What a program is asked, run after run."""

_SHARDS_EACH: Final = 4
"""That a worker gets in all: the more, the less is lost with it, and the more often the program is loaded."""
_MOST_BYTES: Final = 1 << 26
"""That the inputs of a shard of several runs take."""
_MOST_TAKEN: Final = 1 << 28
"""That the programs of several threads take together: less than the compiler took for them."""


class Workers(Protocol):
    """Where shards of the samples can be run. Whoever has `map` and `count` will do."""

    @property
    def count(self) -> int:
        """How many shards are worked on at once."""
        ...

    def map(self, work: Callable[[list[Run]], T], shards: Iterable[list[Run]]) -> Iterable[T]:
        """What `work` gives for each shard, in their order. Work on a shard that got lost is done again.

        `work` holds the program: it is the same for all shards, and may be large.
        """
        ...


class _Runs:
    """The runs over samples, for several threads to take them from."""

    def __init__(self, runs: Iterable[Run]) -> None:
        self._left = (run for run in runs)
        self._lock = Lock()

    @staticmethod
    def over(samples: SampleSet) -> _Runs:
        return _Runs((samples.number_of(index), inputs) for index, inputs in enumerate(samples))

    def __iter__(self) -> Iterator[Run]:
        while (run := self.take()) is not None:
            yield run

    def take(self) -> Run | None:
        """The next one, if there is one left."""
        with self._lock:
            return next(self._left, None)

    def stop(self) -> None:
        """Leave the rest."""
        with self._lock:
            self._left.close()


class _LoadedProgram:
    """A program on the processors of this machine: each has a thread, which runs one that is loaded for it."""

    def __init__(self, program: Program) -> None:
        self._loaded = [program]

    def together(self, asked: Asked[T], runs: _Runs, on_run: Callable[[], None]) -> Iterator[T]:
        """What `asked` gives, of each thread after the other. Where one stops, all do after the runs that they have."""
        begun = Event()

        def counted() -> Iterator[Run]:
            for run in runs:
                yield run
                begun.set()
                on_run()

        def work(program: Program) -> list[T]:
            try:
                return list(asked(program, counted()))
            finally:
                runs.stop()
                begun.set()

        with ThreadPoolExecutor(processors()) as pool:
            working = [pool.submit(work, self._loaded[0])]
            try:
                begun.wait()
                working += [pool.submit(work, program) for program in self._all()[1:]]
                for each in working:
                    yield from each.result()
            finally:
                runs.stop()

    def apart(self, asked: Asked[T], runs: _Runs, on_run: Callable[[], None]) -> Iterator[T]:
        """What `asked` gives of each run by itself, in their order; little of it is kept at a time."""
        idle = self._loaded[:1]

        def work(run: Run) -> list[T]:
            program = idle.pop()
            try:
                return list(asked(program, iter([run])))
            finally:
                idle.append(program)

        if (first := runs.take()) is None:
            return
        yield from work(first)
        on_run()
        idle[:] = self._all()
        threads = len(idle)
        with ThreadPoolExecutor(threads) as pool:
            working: deque[Future[list[T]]] = deque()
            for run in runs:
                working.append(pool.submit(work, run))
                if len(working) > threads:
                    yield from working.popleft().result()
                    on_run()
            for each in working:
                yield from each.result()
                on_run()

    def give_back(self) -> None:
        """Give back the memory that was kept for the next call."""
        for program in self._loaded:
            program.give_back()

    def _all(self) -> Sequence[Program]:
        """One for each thread, as many as there is memory for by what the first has taken."""
        first = self._loaded[0]
        if len(self._loaded) == 1:
            wanted = min(processors(), _MOST_TAKEN // max(1, first.taken_bytes))
            self._loaded += [first.again() for _ in range(wanted - 1)]
        return self._loaded


def outputs_of(
    program: Program, inputs: Iterable[tuple[Array, ...]], on_run: Callable[[], None]
) -> Iterator[list[Array]]:
    """What a program gives of each run's inputs, in their order. All processors run it; `on_run` is called after each.

    Raises:
        DataError: the program takes other inputs.
    """

    def asked(program: Program, runs: Iterable[Run]) -> Iterator[list[Array]]:
        return (program(*arrays) for _, arrays in runs)

    return _LoadedProgram(program).apart(asked, _Runs(enumerate(inputs)), on_run)


class MeasuringProgram:
    """A compiled program that adds up what it measures, until it is asked."""

    def __init__(
        self, source: Source | KnownProgram, workers: Workers | None = None, compiling: Compiling = untold
    ) -> None:
        """Compile it, which is told; load it, if there are no workers. Raises CompileError."""
        self._workers = workers
        self._here = _LoadedProgram(source.load(compiling)) if workers is None else None
        self._sent = source.compile(compiling) if workers is not None else b""

    def together(self, asked: Asked[T], samples: SampleSet, on_run: Callable[[], None]) -> Iterator[T]:
        """What `asked` gives of the program for all runs over the samples, in any order.

        Args:
            asked: what it is asked; of runs that it leaves out, none before is.
            samples: what it runs over.
            on_run: called after each run, by any thread.

        Raises:
            DataError: a sample holds NaN or Inf.
            WorkerError: the workers are gone.
        """
        if self._here is not None:
            return self._here.together(asked, _Runs.over(samples), on_run)
        return self._on_workers(asked, samples, on_run)

    def apart(self, asked: Asked[T], samples: SampleSet, on_run: Callable[[], None]) -> Iterator[T]:
        """What `asked` gives of each run by itself, in the order of the samples. Raises as `together` does."""
        if self._here is not None:
            return self._here.apart(asked, _Runs.over(samples), on_run)
        return self._on_workers(asked, samples, on_run)

    def _on_workers(self, asked: Asked[T], samples: SampleSet, on_run: Callable[[], None]) -> Iterator[T]:
        assert self._workers is not None, "what is not loaded here is for workers"
        work = partial(run_shard, self._sent, asked)
        sizes: list[int] = []
        shards = _shards(samples, ceil(len(samples) / (_SHARDS_EACH * max(1, self._workers.count))), sizes)
        for shard, results in enumerate(self._workers.map(work, shards)):
            yield from results
            for _ in range(sizes[shard]):
                on_run()

    def give_back(self) -> None:
        """Give back the memory that was kept for the next call."""
        if self._here is not None:
            self._here.give_back()


def run_shard(program: bytes, asked: Callable[[Program, Iterable[Run]], Iterator[Any]], shard: list[Run]) -> list[Any]:
    """What a worker does."""
    return list(asked(Program(program), shard))


def _shards(samples: SampleSet, most: int, sizes: list[int]) -> Iterator[list[Run]]:
    """Runs in memory, as many together as are allowed. `sizes` gets the length of each."""
    runs = iter(_Runs.over(samples))
    for first in runs:
        size = sum(array.nbytes for array in first[1])
        rest = islice(runs, min(most, max(1, _MOST_BYTES // max(1, size))) - 1)
        shard = [first, *rest]
        sizes.append(len(shard))
        yield shard
