"""A session of ONNX Runtime on one thread, or on a pool as large as asked for."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path
from typing import Final

import numpy as np
import onnxruntime

from quantune_mlir.backend.benchmark import Runner, repeated
from quantune_mlir.backend.peers import ort_child
from quantune_mlir.backend.peers.job import Job
from quantune_mlir.errors import PeerError

_CHILD: Final = Path(ort_child.__file__)


def session_runner(model: Path, job: Job) -> Runner:
    """Runs `model` with all graph optimizations; inputs and outputs stay in ONNX Runtime's own memory."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = job.threads
    options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.log_severity_level = 3
    # Its idle threads spin, but not beyond its turn: they would take the CPUs from the next program.
    options.add_session_config_entry("session.force_spinning_stop", "1")
    session = onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
    binding = session.io_binding()
    for spec, value in zip(job.inputs, job.values, strict=True):
        binding.bind_ortvalue_input(spec.name, onnxruntime.OrtValue.ortvalue_from_numpy(value))
    for output in session.get_outputs():
        binding.bind_output(output.name, "cpu")
    return repeated(lambda: session.run_with_iobinding(binding), job.clock)


def rehearse(model: Path, job: Job) -> None:
    """Runs `model` once in a process of its own: some models end the process that ONNX Runtime runs in.

    Raises:
        PeerError: this one does.
    """
    values = io.BytesIO()
    np.savez(values, *job.values)
    command = [sys.executable, _CHILD, model, *(spec.name for spec in job.inputs)]
    done = subprocess.run(command, input=values.getvalue(), capture_output=True, check=False)
    if done.returncode < 0:
        raise PeerError(f"ONNX Runtime {onnxruntime.__version__} crashed (signal {-done.returncode})")
