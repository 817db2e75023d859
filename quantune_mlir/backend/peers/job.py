"""What a peer is asked to do, and what it gives back."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quantune_mlir.backend.benchmark import Clock, Runner
from quantune_mlir.errors import OutputError
from quantune_mlir.files.access import default_mode
from quantune_mlir.hardware.targets import Target
from quantune_mlir.samples.sample_set import InputSpec

Values = tuple[NDArray[np.generic], ...]


@dataclass(frozen=True)
class Job:
    """A model to run.

    Attributes:
        source: finds the model's ONNX file. Raises QuantuneError where there is none.
        int8_tosa: makes our own int8 program as pure TOSA.
        inputs: the model's inputs, in its order.
        values: what every call is given.
        calibration: samples to quantize with, each in the shape of the inputs.
        target: the CPU whose instructions may be used.
        threads: of each call.
        cache: a directory for what takes long to make; made when it is needed.
        clock: what calls in this process are timed by.
    """

    source: Callable[[], Path]
    int8_tosa: Callable[[], bytes]
    inputs: tuple[InputSpec, ...]
    values: Values
    calibration: Iterable[Values]
    target: Target
    threads: int
    cache: Path
    clock: Clock = time.perf_counter

    def cached(self, name: str, made_of: Any, make: Callable[[Path], None]) -> Path:
        """A directory that `make` fills, kept under `name` and a hash of `made_of`, which JSON can hold.

        Raises:
            OutputError: the cache cannot be written.
        """
        key = hashlib.sha256(json.dumps(made_of, sort_keys=True).encode()).hexdigest()[:24]
        directory = self.cache / f"{name}-{key}"
        if directory.is_dir():
            return directory
        try:
            self.cache.mkdir(exist_ok=True)
            staging = Path(tempfile.mkdtemp(dir=self.cache, prefix=f".{name}."))
        except OSError as error:
            raise OutputError(f"cannot be written: {error.strerror}", where=str(self.cache)) from error
        try:
            make(staging)
            staging.chmod(default_mode(0o777))
            os.rename(staging, directory)
        finally:
            shutil.rmtree(staging, ignore_errors=True)
        return directory

    def calibration_hash(self) -> str:
        """SHA-256 of all calibration samples, hexadecimal."""
        digest = hashlib.sha256()
        for sample in self.calibration:
            for value in sample:
                digest.update(np.ascontiguousarray(value).data)
        return digest.hexdigest()


@dataclass(frozen=True)
class Contender:
    """A peer that is ready to be measured, the file that it runs, and how to be rid of it."""

    run: Runner
    file: Path
    close: Callable[[], None] = lambda: None


Starter = Callable[[], Contender]
"""Makes a prepared peer ready. Called once this process is bound to its CPUs, so that the peer's threads are too."""
