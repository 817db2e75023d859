"""The latency of a quantized model's variants beside that of other engines, in the same rounds."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from quantune_mlir.backend.benchmark import Clock, Latency, Ratio, Runner, Times, device_for, measure, pinned, repeated
from quantune_mlir.backend.peers import preparation
from quantune_mlir.backend.peers.job import Job, Starter, Values
from quantune_mlir.errors import DataError, QuantuneError
from quantune_mlir.mlir.text import module_bytecode
from quantune_mlir.samples.sample_set import InputSpec
from quantune_mlir.workflow.progress import SILENT, Progress, of_kernels
from quantune_mlir.workflow.variant import VARIANTS, Variant
from quantune_mlir.workflow.variants import Variants

RANDOM_SAMPLES: Final = 4
"""Calibrate peers where no samples are given: their speed does not depend on values."""


@dataclass(frozen=True)
class Comparison:
    """What was measured.

    Attributes:
        times: of each variant and each peer, by name; elements at the same place are of the same round.
        peers: the names in `times` that are peers, and the file that each runs.
        absent: why a peer was left out, by name.
    """

    times: dict[str, Times]
    peers: dict[str, Path]
    absent: dict[str, str]

    def latency(self, name: str) -> Latency:
        """The time of a variant or peer."""
        return Latency.of(self.times[name])

    def ratio(self, name: str, other: str) -> Ratio:
        """Time of one over that of another."""
        return Ratio.of(self.times[name], self.times[other])

    def as_dict(self) -> dict[str, dict[str, Any]]:
        """Latencies by name; those of our variants with `against`, the ratios to each peer, where there is any."""
        rows = {name: asdict(self.latency(name)) for name in self.times}
        for name in self.times:
            if self.peers and name not in self.peers:
                rows[name]["against"] = {peer: asdict(self.ratio(name, peer)) for peer in self.peers}
        return rows


def compare(
    variants: Variants,
    chosen: Sequence[Variant] = VARIANTS,
    peers: Sequence[str] = (),
    *,
    threads: int = 1,
    seconds: float = 3.0,
    model: Path | None = None,
    calibration: Iterable[Values] | None = None,
    clock: Clock = time.perf_counter,
    progress: Progress = SILENT,
) -> Comparison:
    """Measure variants and peers in interleaved rounds, all bound to the same CPUs and warmed up.

    Args:
        variants: of the quantized model.
        chosen: the variants to measure.
        peers: names of peers; one that is not installed or cannot run this model is left out.
        threads: of each call.
        seconds: about how long to measure.
        model: the ONNX file, which most peers need; None: where it was when the model was quantized.
        calibration: samples for the peers that quantize; None: random ones.
        clock: what calls are timed by, but for peers in processes of their own; that of the thread is for one thread.
        progress: who is told how far the work is.

    Raises:
        PeerError: a peer is unknown, or broke while it was measured.
        ModelError: `model` is missing, or another one.
    """
    preparation.check_names(peers)
    if model is not None:
        variants.onnx_file(model)
    rng = np.random.default_rng(0)
    values = random_values(variants.model.inputs, rng)
    if calibration is None:
        calibration = [random_values(variants.model.inputs, rng) for _ in range(RANDOM_SAMPLES)]
    job = Job(
        source=lambda: variants.onnx_file(model),
        int8_tosa=lambda: module_bytecode(variants.tosa("int8")),
        inputs=variants.model.inputs,
        values=values,
        calibration=calibration,
        target=variants.target,
        threads=threads,
        cache=variants.cache,
        clock=clock,
    )
    starters: dict[str, Starter] = {}
    files: dict[str, Path] = {}
    absent: dict[str, str] = {}
    for name in peers:
        with progress.stage(f"prepare {name}"):
            try:
                starters[name] = preparation.prepare(name, job)
            except DataError:
                raise
            except QuantuneError as error:
                absent[name] = str(error)
    for variant in chosen:
        with progress.stage(f"compile {variant}"):
            variants.compiled(variant, of_kernels(progress))
    with ExitStack() as stack, pinned(threads):
        runners: dict[str, Runner] = {
            variant: repeated(variants.load(variant, device=device_for(threads)).bound(*values), clock)
            for variant in chosen
        }
        for name, start in starters.items():
            with progress.stage(f"start {name}"):
                try:
                    contender = start()
                except QuantuneError as error:
                    absent[name] = str(error)
                    continue
            stack.callback(contender.close)
            runners[name] = contender.run
            files[name] = contender.file
        with progress.stage("measure") as tick:
            times = measure(runners, seconds=seconds, on_round=tick)
    return Comparison(times, files, absent)


def random_values(inputs: Sequence[InputSpec], rng: np.random.Generator) -> Values:
    """One value for each input: in [0, 1); integers and booleans are zeros."""
    return tuple(
        rng.random(spec.shape).astype(spec.dtype) if spec.dtype.kind == "f" else np.zeros(spec.shape, spec.dtype)
        for spec in inputs
    )
