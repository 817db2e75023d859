"""What a mixed program's outputs differ by from fp32's: measured, part by part, beside what was predicted.

It runs once over the samples of run 2, and is compared with what fp32 gave there: fp32 is not run again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from quantune_mlir.backend.compilation import compile_program
from quantune_mlir.backend.program import Array, Program
from quantune_mlir.backend.workers import outputs_of
from quantune_mlir.hardware.targets import Target
from quantune_mlir.kernels.tiling.tuned_tiles import TunedTiles
from quantune_mlir.mlir.bindings import ir
from quantune_mlir.numerics.parts import LEAST_DB, Part, PartMeter, PartNoise
from quantune_mlir.workflow.progress import Stopwatch

MOST_RUNS: Final = 40
MOST_BYTES: Final = 1 << 27
"""Bytes of inputs and outputs that are kept; where all are more, every second, fourth ... run is."""


@dataclass(frozen=True)
class ReferenceRun:
    """One run: its inputs, and fp32's outputs."""

    inputs: tuple[Array, ...]
    outputs: list[Array]

    @property
    def bytes(self) -> int:
        """That it takes."""
        return sum(array.nbytes for array in (*self.inputs, *self.outputs))


class ReferenceRuns:
    """What fp32 gives for evenly spaced runs of all that were added."""

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self._most_bytes = most_bytes
        self._kept: list[ReferenceRun] = []
        self._seen, self._stride = 0, 1

    def add(self, inputs: tuple[Array, ...], outputs: list[Array]) -> None:
        """One run more."""
        if self._seen % self._stride == 0:
            self._kept.append(ReferenceRun(inputs, outputs))
            while self._too_many:
                self._kept = self._kept[::2]
                self._stride *= 2
        self._seen += 1

    def restore(self, kept: Iterable[ReferenceRun]) -> None:
        """The runs that another object with the same limit kept."""
        self._kept = list(kept)

    @property
    def _too_many(self) -> bool:
        count = len(self._kept)
        return count > 1 and (count > MOST_RUNS or sum(run.bytes for run in self._kept) > self._most_bytes)

    def __len__(self) -> int:
        return len(self._kept)

    def __iter__(self) -> Iterator[ReferenceRun]:
        return iter(self._kept)


@dataclass(frozen=True)
class VerifiedPart:
    """A part as it was measured.

    Attributes:
        noise: that was.
        predicted_db: the SQNR that was predicted for the plan, if any was.
        times: so many times the noise counts, for what other samples may have.
    """

    noise: PartNoise
    predicted_db: float | None = None
    times: float = 1.0

    @property
    def counting(self) -> float:
        """Noise over signal, as far as it counts."""
        return self.times * self.noise.normalized_mse


@dataclass(frozen=True)
class Verification:
    """What was found of one plan.

    Attributes:
        parts: of the model, in its order.
        samples: that the mixed program ran over.
    """

    parts: tuple[VerifiedPart, ...]
    samples: int

    @property
    def doubtful(self) -> list[PartNoise]:
        """The parts below LEAST_DB, of those that are judged."""
        return [noise for noise in self._low if noise.part.is_judged]

    @property
    def ranked(self) -> list[PartNoise]:
        """The parts that are not judged, and below LEAST_DB."""
        return [noise for noise in self._low if not noise.part.is_judged]

    @property
    def _low(self) -> list[PartNoise]:
        return [part.noise for part in self.parts if part.noise.sqnr_db < LEAST_DB]

    @property
    def silent(self) -> list[PartNoise]:
        """The parts of which nothing can be told, as they are zero throughout."""
        return [part.noise for part in self.parts if part.noise.silent]


def verify(
    program: Program, references: ReferenceRuns, parts: Sequence[Part], on_run: Callable[[], None] = lambda: None
) -> list[PartNoise]:
    """Run a program once over the reference runs; the noise of each part.

    Args:
        program: of the model, in any precision.
        references: inputs, and fp32's outputs.
        parts: of the model.
        on_run: called after each run.
    """
    meter = PartMeter(parts, spread=True)
    found = outputs_of(program, (run.inputs for run in references), on_run)
    for run, outputs in zip(references, found, strict=True):
        argument = run.inputs[0] if len(run.inputs) == 1 else None
        meter.add(run.outputs, outputs, argument)
    return meter.noise()


@dataclass(frozen=True)
class Verified:
    """A candidate: its program for this machine, compiled with `tiles`, and the noise of each part."""

    program: bytes
    tiles: TunedTiles | None
    noise: list[PartNoise]


@dataclass(frozen=True)
class Verifier:
    """Compiles candidates for this machine and measures them, all over the same runs.

    Attributes:
        parts: of the model.
        references: what they are compared with.
        target: this machine.
        tiles: what to use instead of the model's tiles.
        watch: takes the time.
    """

    parts: Sequence[Part]
    references: ReferenceRuns
    target: Target
    tiles: TunedTiles | None
    watch: Stopwatch

    def __call__(self, module: ir.Module) -> Verified:
        """Compile and measure a mixed module. Raises CompileError if IREE refuses it."""
        with self.watch.stage("compile_verified", "compile the mixed program"):
            program = compile_program(module, self.target, tiles=self.tiles, compiling=self.watch.compiling)
        with self.watch.stage("run_verified", "verify the mixed program", len(self.references)) as tick:
            return Verified(program, self.tiles, verify(Program(program), self.references, self.parts, tick))
