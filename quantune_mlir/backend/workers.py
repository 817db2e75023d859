"""A measuring program over samples: on this machine, or on workers, which need NumPy and IREE's runtime only.

What is asked of a program is a generator over runs, which gives NumPy arrays in tuples and lists, so that a worker
without this package can send them back. They come in the order of the samples, however these were split.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import islice
from math import ceil
from typing import Any, Final, Protocol, TypeVar

from quantune_mlir.backend.compiler import KnownProgram, Source
from quantune_mlir.backend.program import Array, Program
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


class MeasuringProgram:
    """A compiled program that adds up what it measures, until it is asked."""

    def __init__(self, source: Source | KnownProgram, workers: Workers | None = None) -> None:
        """Compile it; load it, if there are no workers. Raises CompileError."""
        self._workers = workers
        self._here = source.load() if workers is None else None
        self._sent = source.compile() if workers is not None else b""

    def over(self, asked: Asked[T], samples: SampleSet, on_run: Callable[[], None]) -> Iterator[T]:
        """What `asked` gives of the program for all runs over the samples, in their order.

        Raises:
            DataError: a sample holds NaN or Inf.
            WorkerError: the workers are gone.
        """
        if self._workers is None:
            assert self._here is not None, "a program without workers is loaded"
            yield from asked(self._here, _counted(samples, on_run))
            return
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


def _counted(samples: SampleSet, on_run: Callable[[], None]) -> Iterator[Run]:
    for index, inputs in enumerate(samples):
        yield samples.number_of(index), inputs
        on_run()


def _shards(samples: SampleSet, most: int, sizes: list[int]) -> Iterator[list[Run]]:
    """Runs in memory, as many together as are allowed. `sizes` gets the length of each."""
    runs = _counted(samples, lambda: None)
    for first in runs:
        size = sum(array.nbytes for array in first[1])
        rest = islice(runs, min(most, max(1, _MOST_BYTES // max(1, size))) - 1)
        shard = [first, *rest]
        sizes.append(len(shard))
        yield shard
