"""Programs of stock iree-compile: no pass and no kernel of ours has part in them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any, Final

from quantune_mlir.backend.benchmark import device_for, repeated
from quantune_mlir.backend.compiler import compile_bytes
from quantune_mlir.backend.peers.job import Contender, Job, Starter
from quantune_mlir.backend.program import Program
from quantune_mlir.errors import CompileError
from quantune_mlir.hardware.targets import Target

_NAME: Final = "program.vmfb"


def stock_program(
    name: str, job: Job, made_of: Any, source: Callable[[], bytes], flag_sets: Sequence[tuple[str, ...]]
) -> Starter:
    """A peer that runs what iree-compile makes of `source` for the job's target with the first flags that it takes.

    Args:
        name: of the peer, for the cache.
        job: what to run.
        made_of: what identifies the source.
        source: makes the MLIR, text or bytecode, with the model as @main.
        flag_sets: beyond those that name the target's CPU; the best first.

    Raises:
        CompileError: IREE refuses the module with each of the flags.
    """
    targets = [job.target.model_copy(update={"flags": flags}) for flags in flag_sets]

    def make(directory: Path) -> None:
        (directory / _NAME).write_bytes(_first_compiled(source(), targets))

    described = [target.compile_flags() for target in targets]
    directory = job.cached(name, [made_of, described, metadata.version("iree-base-compiler")], make)

    def start() -> Contender:
        program = Program(directory / _NAME, device=device_for(job.threads))
        return Contender(repeated(program.bound(*job.values), job.clock), directory / _NAME)

    return start


def _first_compiled(source: bytes, targets: Sequence[Target]) -> bytes:
    *earlier, last = targets
    for target in earlier:
        try:
            return compile_bytes(source, target)
        except CompileError:
            continue
    return compile_bytes(source, last)
