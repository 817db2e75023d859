"""NNCF's quantization and OpenVINO's runs, as we measure ours against them; and the process that does both.

`openvino_int8` starts it; it needs nothing of this package.

openvino_child.py quantize MODEL.onnx SAMPLES.npz OUT.xml      answers READY
openvino_child.py serve MODEL.xml VALUES.npz THREADS           answers READY; then, to a number of calls, the
                                                               seconds that so many calls in a row took
"""

from __future__ import annotations

import importlib
import os
import sys
import time
from pathlib import Path
from typing import Any, Final, TextIO

import numpy as np

MODEL: Final = "model.xml"
READY: Final = "ready"
_WARM_UP_CALLS: Final = 3


def quantize(model: str, samples: str, output: str) -> None:
    """Writes the int8 model that NNCF makes with its defaults. `samples` are stacked along a new first axis."""
    nncf = installed("nncf")
    with np.load(samples) as arrays:
        names = list(arrays)
        feeds = [dict(zip(names, sample, strict=True)) for sample in zip(*arrays.values(), strict=True)]
    save(nncf.quantize(read(model), nncf.Dataset(feeds), subset_size=len(feeds)), output)


def read(model: Path | str) -> Any:
    """OpenVINO's form of an ONNX file, or of one that `save` wrote."""
    return installed("openvino").Core().read_model(str(model))


def save(model: Any, output: Path | str) -> None:
    """Writes a model, fp32 as it is."""
    installed("openvino").save_model(model, str(output), compress_to_fp16=False)


def request(model: Any, threads: int, **settings: str) -> Any:
    """What runs a model, or a file of one, on so many threads of the CPU, fp32 where it is not int8."""
    chosen: dict[str, Any] = {
        "INFERENCE_PRECISION_HINT": "f32",
        "INFERENCE_NUM_THREADS": threads,
        "NUM_STREAMS": 1,
        "PERFORMANCE_HINT": "LATENCY",
        "ENABLE_CPU_PINNING": False,
        **settings,
    }
    return installed("openvino").Core().compile_model(model, "CPU", chosen).create_infer_request()


def serve(model: str, values: str, threads: int, answers: TextIO) -> None:
    """Runs the model as often as stdin says, until it ends."""
    openvino, asked = installed("openvino"), request(model, threads)
    with np.load(values) as arrays:
        for name, value in arrays.items():
            asked.set_tensor(name, openvino.Tensor(value))
    for _ in range(_WARM_UP_CALLS):
        asked.infer()
    print(READY, file=answers, flush=True)
    for line in sys.stdin:
        calls = int(line)
        start = time.perf_counter()
        for _ in range(calls):
            asked.infer()
        print(repr(time.perf_counter() - start), file=answers, flush=True)


def installed(package: str) -> Any:
    """A package that type checkers need not find."""
    return importlib.import_module(package)


def main() -> None:
    """Keeps stdout for answers; what the libraries print goes to stderr."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    command, *arguments = sys.argv[1:]
    if command == "quantize":
        quantize(*arguments)
        print(READY, file=answers, flush=True)
    else:
        model, values, threads = arguments
        serve(model, values, int(threads), answers)


if __name__ == "__main__":
    main()
