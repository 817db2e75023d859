from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest

from quantune_mlir.backend.peers.job import Job
from quantune_mlir.hardware.targets import load_target
from quantune_mlir.samples.sample_set import InputSpec

SHAPE = (2, 3, 8, 8)
MakeJob = Callable[..., Job]


@pytest.fixture
def onnx_file(tmp_path: Path) -> Path:
    """A convolution and a ReLU, the batch symbolic."""
    rng = np.random.default_rng(0)
    weight = onnx.numpy_helper.from_array(rng.standard_normal((4, 3, 3, 3)).astype(np.float32), "w")
    graph = onnx.helper.make_graph(
        [
            onnx.helper.make_node("Conv", ["x", "w"], ["c"], pads=[1, 1, 1, 1]),
            onnx.helper.make_node("Relu", ["c"], ["y"]),
        ],
        "network",
        [onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, ["n", *SHAPE[1:]])],
        [onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, ["n", 4, 8, 8])],
        [weight],
    )
    path = tmp_path / "network.onnx"
    onnx.save(onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8), path)
    return path


@pytest.fixture
def make_job(onnx_file: Path, tmp_path: Path) -> MakeJob:
    def make(source: Path = onnx_file, int8_tosa: bytes = b"", *, threads: int = 1) -> Job:
        rng = np.random.default_rng(1)
        samples = [(rng.random(SHAPE).astype(np.float32),) for _ in range(2)]
        return Job(
            source=lambda: source,
            int8_tosa=lambda: int8_tosa,
            inputs=(InputSpec("x", SHAPE, np.dtype(np.float32)),),
            values=samples[0],
            calibration=samples,
            target=load_target("host"),
            threads=threads,
            cache=tmp_path / "cache",
        )

    return make
