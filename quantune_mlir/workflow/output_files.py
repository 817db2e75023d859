"""The outputs of a data set, in files that are mapped: memory stays the same however many samples there are."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from quantune_mlir.backend.program import Array


class OutputFiles:
    """Takes outputs run by run; gives arrays of all, samples along axis 0."""

    def __init__(self, folder: Path, runs: int) -> None:
        """So many runs will come. What files of this name an older data set left in `folder` go."""
        folder.mkdir(exist_ok=True)
        self._folder = folder
        self._runs = runs
        self._arrays: list[np.memmap] = []
        self._added = 0

    def add(self, outputs: Sequence[Array]) -> None:
        """The outputs of one run, samples along axis 0 of each."""
        if not self._arrays:
            shapes = [(self._runs * len(output), *output.shape[1:]) for output in outputs]
            self._arrays = [
                np.lib.format.open_memmap(self._file(index), "w+", output.dtype, shape)
                for index, (output, shape) in enumerate(zip(outputs, shapes, strict=True))
            ]
        for array, output in zip(self._arrays, outputs, strict=True):
            first = self._added * len(output)
            array[first : first + len(output)] = output
        self._added += 1

    def arrays(self) -> list[Array]:
        """All outputs; what is written into these arrays stays there alone."""
        for array in self._arrays:
            array.flush()
        return [np.load(self._file(index), mmap_mode="c") for index in range(len(self._arrays))]

    def _file(self, index: int) -> Path:
        return self._folder / f"{index}.npy"
