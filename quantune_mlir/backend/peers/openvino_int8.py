"""`openvino-int8`: the model as NNCF quantizes it, in OpenVINO, fp32 elsewhere.

It lives in a process of its own: oneDNN reads the instructions that it may use from the environment, once.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from quantune_mlir.backend.peers import openvino_child as child
from quantune_mlir.backend.peers.isa import onednn_isa
from quantune_mlir.backend.peers.job import Contender, Job, Starter
from quantune_mlir.backend.peers.onnx_file import static_model
from quantune_mlir.errors import PeerError
from quantune_mlir.hardware.host_isa import host_flags

_PACKAGES: Final = ("openvino", "nncf")


def prepare(job: Job) -> Starter:
    """See `preparation`."""
    for package in _PACKAGES:
        if importlib.util.find_spec(package) is None:
            raise ModuleNotFoundError(name=package)
    source = static_model(job)
    variables = environment(job)
    made_of = [source.parent.name, job.calibration_hash(), *(metadata.version(package) for package in _PACKAGES)]

    def make(directory: Path) -> None:
        samples = directory / "samples.npz"
        _save(samples, job, [np.stack(values) for values in zip(*job.calibration, strict=True)])
        with _Child(["quantize", source, samples, directory / child.MODEL], variables) as process:
            process.expect(child.READY)
        samples.unlink()

    model = job.cached("openvino-int8", made_of, make) / child.MODEL

    def start() -> Contender:
        values = model.parent / "values.npz"
        _save(values, job, job.values)
        process = _Child(["serve", model, values, job.threads], variables)
        process.expect(child.READY)
        return Contender(process.run, model.with_suffix(".bin"), process.close)

    return start


def _save(path: Path, job: Job, values: Sequence[NDArray[np.generic]]) -> None:
    arrays: dict[str, Any] = {spec.name: value for spec, value in zip(job.inputs, values, strict=True)}
    np.savez(path, **arrays)


def environment(job: Job) -> dict[str, str]:
    """The child's: ours, with oneDNN limited to the instructions that our programs use."""
    isa = onednn_isa(job.target, host_flags())
    limit = {"ONEDNN_MAX_CPU_ISA": isa} if isa else {}
    return {**os.environ, **limit, "OPENVINO_TELEMETRY_OPT_OUT": "1"}


class _Child:
    """The other process. It answers one line for each line it is sent."""

    def __init__(self, arguments: Sequence[object], environment: dict[str, str]) -> None:
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - `close` closes it
        self._process = subprocess.Popen(
            [sys.executable, child.__file__, *map(str, arguments)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env=environment,
            text=True,
        )

    def __enter__(self) -> _Child:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def run(self, calls: int) -> float:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(f"{calls}\n")
            self._process.stdin.flush()
        except OSError as error:
            raise self._failure() from error
        return float(self._answer())

    def expect(self, answer: str) -> None:
        if self._answer() != answer:
            raise self._failure()

    def close(self) -> None:
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            pipe.close()
        self._process.wait()
        self._errors.close()

    def _answer(self) -> str:
        assert self._process.stdout is not None
        answer = self._process.stdout.readline().strip()
        if not answer:
            raise self._failure()
        return answer

    def _failure(self) -> PeerError:
        self._process.kill()
        self._process.wait()
        self._errors.seek(0)
        said = self._errors.read().decode(errors="replace").strip().splitlines()
        return PeerError(f"OpenVINO failed: {said[-1] if said else 'no message'}", where="openvino-int8")
