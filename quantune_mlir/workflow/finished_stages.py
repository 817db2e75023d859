"""What run 1 and run 2 gave, kept by content in the user's cache, so that an interrupted run can go on from there.

A key tells all that a result follows from: the model's module, the samples that were read, the options, the versions
of what compiles and this machine's CPU. Entries go as all others of the cache do.
"""

from __future__ import annotations

import functools
import io
import json
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from mmap import mmap
from typing import TYPE_CHECKING, Final

import numpy as np

from quantune_mlir.backend.compile_cache import CompileCache, cache_in_use, digest
from quantune_mlir.backend.compiler import compiler_key
from quantune_mlir.hardware.targets import load_target
from quantune_mlir.mlir.text import module_bytecode
from quantune_mlir.numerics.profile import FORMAT, Profile
from quantune_mlir.planning.sensitivity import SensitivityList
from quantune_mlir.workflow.options import ANALYSIS_TARGET
from quantune_mlir.workflow.verification import ReferenceRun, ReferenceRuns

if TYPE_CHECKING:
    from quantune_mlir.model import Model
    from quantune_mlir.samples.sample_set import SampleSet
    from quantune_mlir.workflow.options import QuantizeOptions

RUN_1: Final = "run 1"
RUN_2: Final = "run 2"
_RANGES: Final = "ranges"
_REFERENCES: Final = "references"


class FinishedStages:
    """Keeps what runs give; gives back what an earlier process kept, if it is to go on with that.

    Attributes:
        taken: the runs that were not made again.
    """

    def __init__(self, *, resume: bool = False) -> None:
        self._resume = resume
        self._started_from: str | None = None
        self._run_2: _Run2 | None = None
        self.taken: list[str] = []

    def profile(self, model: Model, samples: SampleSet, make: Callable[[], Profile]) -> Profile:
        """What run 1 gives. Raises as `make` does."""
        cache = cache_in_use()
        if cache is None:
            return make()
        key = digest(RUN_1, str(FORMAT), self._start(model, samples))
        found = self._found(cache, key)
        if found is not None:
            self.taken.append(RUN_1)
            return Profile.restored(found)
        profile = make()
        cache.put_later(key, profile.to_bytes)
        return profile

    def expect_run_2(self, model: Model, samples: SampleSet, profile: Profile, options: QuantizeOptions) -> None:
        """Tell what run 2 follows from, of a model that run 1 has seen or could have; begin to read what it gave."""
        cache = cache_in_use()
        if cache is None:
            return
        options_text = json.dumps(options.as_dict(), sort_keys=True)

        @functools.cache
        def key() -> str:
            return digest(RUN_2, self._start(model, samples), profile.to_bytes(), options_text)

        kept = None
        if self._resume:
            if (ranges := cache.get(digest(_RANGES, key()))) is not None:
                profile.know_ranges(bytes(ranges))
            kept = ThreadPoolExecutor(1).submit(_read, cache, key())
        self._run_2 = _Run2(cache, key, profile, kept)

    def sensitivity(self, references: ReferenceRuns | None, make: Callable[[], SensitivityList]) -> SensitivityList:
        """What the expected run 2 gives, and what it adds to `references`. Raises as `make` does."""
        run = self._run_2
        if run is None:
            return make()
        kept = None if run.kept is None else run.kept.result()
        if kept is not None and (references is None or kept.references):
            self.taken.append(RUN_2)
            if references is not None:
                references.restore(kept.references)
            return kept.sensitivity
        sensitivity = make()
        cache, key, ranges = run.cache, run.key(), run.profile.known_ranges()
        cache.put_later(key, lambda: sensitivity.to_yaml().encode())
        if references is not None:
            cache.put_later(digest(_REFERENCES, key), lambda: _stored(references))
        cache.put_later(digest(_RANGES, key), lambda: ranges)
        return sensitivity

    def _start(self, model: Model, samples: SampleSet) -> str:
        """What both runs start from, told once: the bytes of a model may be many."""
        if self._started_from is None:
            made_with = compiler_key(load_target(ANALYSIS_TARGET))
            self._started_from = digest(made_with, model.made_from or module_bytecode(model.module), samples.key)
        return self._started_from

    def _found(self, cache: CompileCache, key: str) -> bytes | None:
        found = cache.get(key) if self._resume else None
        return None if found is None else bytes(found)


def _stored(references: ReferenceRuns) -> bytes:
    arrays = {
        f"{place}.{kind}.{index}": array
        for place, run in enumerate(references)
        for kind, values in (("inputs", run.inputs), ("outputs", run.outputs))
        for index, array in enumerate(values)
    }
    content = io.BytesIO()
    np.savez(content, **arrays)  # pyright: ignore[reportArgumentType]
    return content.getvalue()


@dataclass(frozen=True)
class _KeptRun2:
    """What run 2 gave; there may be no reference runs, as nobody had asked for them."""

    sensitivity: SensitivityList
    references: list[ReferenceRun]


@dataclass(frozen=True)
class _Run2:
    """An expected one: where and by which key it is kept, its profile, and what is being read if it may be taken."""

    cache: CompileCache
    key: Callable[[], str]
    profile: Profile
    kept: Future[_KeptRun2 | None] | None


def _read(cache: CompileCache, key: str) -> _KeptRun2 | None:
    """What is kept of a run 2, if it is."""
    found = cache.get(key)
    if found is None:
        return None
    return _KeptRun2(SensitivityList.from_yaml(bytes(found).decode()), _restored(cache.get(digest(_REFERENCES, key))))


def _restored(content: mmap | None) -> list[ReferenceRun]:
    runs: dict[int, tuple[list[np.ndarray], list[np.ndarray]]] = {}
    if content is not None:
        with np.load(io.BytesIO(content)) as archive:
            for name in archive.files:
                place, kind, _ = name.split(".")
                inputs, outputs = runs.setdefault(int(place), ([], []))
                (inputs if kind == "inputs" else outputs).append(archive[name])
    return [ReferenceRun(tuple(inputs), outputs) for inputs, outputs in runs.values()]
