"""Runs a compiled program over the samples of files, and gathers its outputs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from quantune_mlir.backend.declaration import Declaration
from quantune_mlir.backend.program import Array, Program
from quantune_mlir.errors import DataError
from quantune_mlir.samples.preprocess import Preprocess
from quantune_mlir.samples.sample_set import InputSpec, SampleSet
from quantune_mlir.samples.sources import load_array
from quantune_mlir.workflow.progress import SILENT, Progress, Tick

_ARRAY: Final = ".npy"


def run_over(
    program: Program, files: Sequence[Path], progress: Progress = SILENT, preprocess: Preprocess | None = None
) -> dict[str, Array]:
    """The outputs of a program by name, those of all runs one after the other along axis 0.

    Args:
        program: what to run.
        files: an .npy for each input, in order, or one .npz or folder with an array for each by its name, or a folder
            of pictures. An array may hold many samples along axis 0.
        progress: who is told how far the work is.
        preprocess: how pictures become inputs.

    Raises:
        DataError: the arrays are not what the program takes.
    """
    declaration = program.declaration
    runs: Sequence[tuple[Array, ...]] | SampleSet
    runs = [tuple(map(load_array, files))] if declaration is None else _samples(declaration, files, preprocess)
    with progress.stage("run", len(runs)) as tick:
        found = list(_outputs(program, runs, tick))
    names = _names(declaration, len(found[0]))
    return {name: _joined([run[place] for run in found]) for place, name in enumerate(names)}


def _outputs(program: Program, runs: Sequence[tuple[Array, ...]] | SampleSet, tick: Tick) -> Iterator[list[Array]]:
    for run in runs:
        yield program(*run)
        tick()


def _samples(declaration: Declaration, files: Sequence[Path], preprocess: Preprocess | None) -> SampleSet:
    inputs = [InputSpec(*spec) for spec in declaration.inputs]
    if any(path.suffix != _ARRAY for path in files):
        if len(files) > 1:
            raise DataError(
                "holds all inputs",
                where=str(next(path for path in files if path.suffix != _ARRAY)),
                remedy="give it alone, or an .npy for each input",
            )
        return _whole(SampleSet.open(files[0], inputs, preprocess=preprocess))
    if len(files) != len(inputs):
        names = ", ".join(repr(spec.name) for spec in inputs)
        raise DataError(
            f"the program takes {len(inputs)} input(s): {names}; {len(files)} file(s) are given",
            where="--input",
            remedy="give an .npy for each, in this order, or one .npz with arrays of these names",
        )
    arrays = {spec.name: load_array(path) for spec, path in zip(inputs, files, strict=True)}
    return _whole(SampleSet.open(arrays, inputs))


def _whole(samples: SampleSet) -> SampleSet:
    """The samples, if none is left over."""
    if samples.left_over:
        raise DataError(
            f"{samples.left_over} sample(s) are left over: a run of the program takes {samples.batch}",
            where="--input",
            remedy=f"give a multiple of {samples.batch} samples",
        )
    return samples


def _names(declaration: Declaration | None, count: int) -> list[str]:
    """Those of the outputs, made distinct; "0", "1", ... where the program does not say."""
    given = [str(place) for place in range(count)] if declaration is None else [each[0] for each in declaration.outputs]
    return given if len(set(given)) == count == len(given) else [str(place) for place in range(count)]


def _joined(outputs: list[Array]) -> NDArray[np.generic]:
    return np.stack(outputs) if outputs[0].ndim == 0 else np.concatenate(outputs)
