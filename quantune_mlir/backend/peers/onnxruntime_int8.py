"""`onnxruntime-int8`: the quicker of its u8s8 and s8s8 models, quantized statically: QDQ, per channel, MinMax ranges.

Which of the two is the quicker depends on the CPU's dot product instructions; both are as accurate. Models that ONNX
Runtime cannot quantize per channel are quantized per tensor.
"""

from __future__ import annotations

import logging
import warnings
from pathlib import Path
from typing import Final

import numpy as np
import onnxruntime
from onnxruntime.quantization import QuantType

from quantune_mlir.backend.benchmark import Times, measure
from quantune_mlir.backend.peers.job import Contender, Job, Starter
from quantune_mlir.backend.peers.onnx_file import static_model
from quantune_mlir.backend.peers.ort_session import rehearse, session_runner
from quantune_mlir.backend.peers.ort_static import prepare_static, quantize_qdq

ACTIVATIONS: Final = {"u8s8": QuantType.QUInt8, "s8s8": QuantType.QInt8}
_TRIAL_SECONDS: Final = 0.3
_ERRORS: Final = 3
"""The severity from which on ONNX Runtime's own log writes to stderr."""


def prepare(job: Job) -> Starter:
    """See `preparation`."""
    source = static_model(job)
    made_of = [source.parent.name, job.calibration_hash(), onnxruntime.__version__]
    directory = job.cached("onnxruntime-int8", made_of, lambda folder: _quantize(source, folder, job))

    def start() -> Contender:
        files = {name: directory / f"{name}.onnx" for name in ACTIVATIONS}
        runners = {name: session_runner(file, job) for name, file in files.items()}
        name = quickest(measure(runners, seconds=_TRIAL_SECONDS))
        return Contender(runners[name], files[name])

    return start


def quickest(times: dict[str, Times]) -> str:
    """The name of the one with the least median."""
    return min(times, key=lambda name: float(np.median(times[name])))


def _quantize(source: Path, directory: Path, job: Job) -> None:
    rehearse(source, job)
    root = logging.getLogger()
    level = root.level
    root.setLevel(logging.ERROR)
    onnxruntime.set_default_logger_severity(_ERRORS)
    try:
        ready = directory / "preprocessed.onnx"
        prepare_static(source, ready)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of infinite masks, whose range has no scale
            try:
                _quantize_each(ready, job, per_channel=True)
            except Exception:  # its quantizer takes some weights to have one scale that it gave several
                _quantize_each(ready, job, per_channel=False)
        ready.unlink()
    finally:
        root.setLevel(level)


def _quantize_each(ready: Path, job: Job, *, per_channel: bool) -> None:
    names = [spec.name for spec in job.inputs]
    for name, activations in ACTIVATIONS.items():
        feeds = (dict(zip(names, sample, strict=True)) for sample in job.calibration)
        file = ready.with_name(f"{name}.onnx")
        quantize_qdq(ready, file, feeds, activations=activations, per_channel=per_channel)
        rehearse(file, job)
