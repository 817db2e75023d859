"""The process that `openvino_int8` starts; it needs nothing of this package.

openvino_child.py quantize MODEL.onnx SAMPLES.npz OUT.xml      answers READY
openvino_child.py serve MODEL.xml VALUES.npz THREADS           answers READY; then, to a number of calls, the
                                                               seconds that so many calls in a row took
"""

from __future__ import annotations

import importlib
import os
import sys
import time
from typing import Any, Final, TextIO

import numpy as np

MODEL: Final = "model.xml"
READY: Final = "ready"
_WARM_UP_CALLS: Final = 3


def quantize(model: str, samples: str, output: str) -> None:
    """Writes the int8 model that NNCF makes with its defaults. `samples` are stacked along a new first axis."""
    nncf, openvino = _installed("nncf"), _installed("openvino")
    with np.load(samples) as arrays:
        names = list(arrays)
        feeds = [dict(zip(names, sample, strict=True)) for sample in zip(*arrays.values(), strict=True)]
    network = openvino.Core().read_model(model)
    quantized = nncf.quantize(network, nncf.Dataset(feeds), subset_size=len(feeds))
    openvino.save_model(quantized, output, compress_to_fp16=False)


def serve(model: str, values: str, threads: int, answers: TextIO) -> None:
    """Runs the model as often as stdin says, until it ends."""
    openvino = _installed("openvino")
    settings: dict[str, Any] = {
        "INFERENCE_PRECISION_HINT": "f32",
        "INFERENCE_NUM_THREADS": threads,
        "NUM_STREAMS": 1,
        "PERFORMANCE_HINT": "LATENCY",
        "ENABLE_CPU_PINNING": False,
    }
    request = openvino.Core().compile_model(model, "CPU", settings).create_infer_request()
    with np.load(values) as arrays:
        for name, value in arrays.items():
            request.set_tensor(name, openvino.Tensor(value))
    for _ in range(_WARM_UP_CALLS):
        request.infer()
    print(READY, file=answers, flush=True)
    for line in sys.stdin:
        calls = int(line)
        start = time.perf_counter()
        for _ in range(calls):
            request.infer()
        print(repr(time.perf_counter() - start), file=answers, flush=True)


def _installed(package: str) -> Any:
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
