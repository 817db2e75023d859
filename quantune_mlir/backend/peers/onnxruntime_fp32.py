"""`onnxruntime`: the ONNX file itself, in fp32."""

from __future__ import annotations

from quantune_mlir.backend.peers.job import Contender, Job, Starter
from quantune_mlir.backend.peers.onnx_file import static_model
from quantune_mlir.backend.peers.ort_session import rehearse, session_runner


def prepare(job: Job) -> Starter:
    """See `preparation`."""
    model = static_model(job)
    rehearse(model, job)
    return lambda: Contender(session_runner(model, job), model)
