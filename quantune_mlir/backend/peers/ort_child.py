"""The process in which `ort_session` has a model run first; it needs nothing of this package.

ort_child.py MODEL.onnx INPUT... < VALUES.npz
"""

from __future__ import annotations

import io
import sys

import numpy as np
import onnxruntime


def main() -> None:
    """Runs the model once."""
    model, *names = sys.argv[1:]
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    with np.load(io.BytesIO(sys.stdin.buffer.read())) as arrays:
        session.run(None, dict(zip(names, arrays.values(), strict=True)))


if __name__ == "__main__":
    main()
