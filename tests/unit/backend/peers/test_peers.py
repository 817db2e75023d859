"""Each peer runs a tiny model. Speed is not looked at."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from quantune_mlir.backend.benchmark import measure
from quantune_mlir.backend.peers import onnxruntime_int8, openvino_int8, ort_session, ort_static, preparation
from quantune_mlir.backend.peers.isa import onednn_isa
from quantune_mlir.backend.peers.job import Job
from quantune_mlir.backend.peers.onnx_file import static_model
from quantune_mlir.errors import OutputError, PeerError
from quantune_mlir.hardware.targets import load_target

MakeJob = Callable[..., Job]

OPENVINO = pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in ("openvino", "nncf")),
    reason="openvino and nncf are not installed (pip install 'quantune-mlir[peers]')",
)
INT8_TOSA = b"""
func.func @main(%x: tensor<2x3x8x8xf32>) -> tensor<2x3x8x8xi8> {
  %0 = tosa.cast %x : (tensor<2x3x8x8xf32>) -> tensor<2x3x8x8xi8>
  return %0 : tensor<2x3x8x8xi8>
}
"""


@pytest.mark.parametrize(
    "name", ["onnxruntime", "onnxruntime-int8", pytest.param("openvino-int8", marks=OPENVINO), "iree", "iree-tosa"]
)
def test_runs_and_is_made_once(make_job: MakeJob, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    job = make_job(int8_tosa=INT8_TOSA)
    contender = preparation.prepare(name, job)()
    times = measure({name: contender.run}, seconds=0)
    contender.close()
    assert np.all(times[name] > 0) and np.all(np.isfinite(times[name]))
    assert contender.file.stat().st_size > 0

    cached = sorted(job.cache.iterdir())
    monkeypatch.setattr("tempfile.mkdtemp", lambda **_: pytest.fail("made again"))
    preparation.prepare(name, job)
    assert sorted(job.cache.iterdir()) == cached


def test_static_model_has_the_shapes_of_the_job(make_job: MakeJob) -> None:
    graph = onnx.load(static_model(make_job())).graph
    shapes = [[d.dim_value for d in value.type.tensor_type.shape.dim] for value in (*graph.input, *graph.output)]
    assert shapes == [[2, 3, 8, 8], [2, 4, 8, 8]] and graph.name == "main"


def test_a_peer_whose_inputs_are_of_another_type_is_left_out(make_job: MakeJob) -> None:
    job = make_job()
    inputs = [replace(spec, dtype=np.dtype(np.int32)) for spec in job.inputs]
    with pytest.raises(PeerError, match="'x' is of float in the ONNX file"):
        static_model(replace(job, inputs=inputs))


def test_onnxruntime_int8_holds_integer_weights(make_job: MakeJob) -> None:
    file = preparation.prepare("onnxruntime-int8", make_job())().file
    model = onnx.load(file)
    assert {node.op_type for node in model.graph.node} >= {"QuantizeLinear", "DequantizeLinear"}
    assert onnx.TensorProto.INT8 in {tensor.data_type for tensor in model.graph.initializer}
    assert sorted(path.name for path in file.parent.iterdir()) == ["s8s8.onnx", "u8s8.onnx"]


def test_onnxruntime_int8_takes_models_of_before_opset_13(make_job: MakeJob, onnx_file: Path) -> None:
    model = onnx.load(onnx_file)
    model.opset_import[0].version = 11
    onnx.save(model, onnx_file)
    made = onnx.load(preparation.prepare("onnxruntime-int8", make_job())().file)
    assert made.opset_import[0].version >= 13
    scales = [node.input[1] for node in made.graph.node if node.op_type == "DequantizeLinear"]
    sizes = {tensor.name: list(tensor.dims) for tensor in made.graph.initializer}
    assert [4] in [sizes[name] for name in scales], "the weight has a scale for each channel"


def test_onnxruntime_int8_quantizes_per_tensor_what_it_cannot_per_channel(
    make_job: MakeJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    quantize = onnxruntime_int8.quantize_qdq

    def refusing(*arguments: Any, per_channel: bool, **options: Any) -> None:
        if per_channel:
            raise ValueError("ambiguous")
        quantize(*arguments, per_channel=per_channel, **options)

    monkeypatch.setattr(onnxruntime_int8, "quantize_qdq", refusing)
    made = onnx.load(preparation.prepare("onnxruntime-int8", make_job())().file)
    assert all(not tensor.dims for tensor in made.graph.initializer if tensor.name.endswith("_scale"))


def test_onnxruntime_int8_does_without_symbolic_shapes(make_job: MakeJob, monkeypatch: pytest.MonkeyPatch) -> None:
    prepare = ort_static.quant_pre_process

    def refusing(*arguments: Any, skip_symbolic_shape: bool = False) -> None:
        assert skip_symbolic_shape
        prepare(*arguments, skip_symbolic_shape=True)

    monkeypatch.setattr(ort_static, "quant_pre_process", refusing)
    assert preparation.prepare("onnxruntime-int8", make_job())().file.is_file()


def test_a_model_that_the_peer_cannot_read(make_job: MakeJob, tmp_path: Path) -> None:
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"no model")
    with pytest.raises(PeerError, match="onnxruntime: cannot run this model"):
        preparation.prepare("onnxruntime", make_job(broken))
    assert not list((tmp_path / "cache").iterdir())


@pytest.mark.parametrize("name", ["onnxruntime", "onnxruntime-int8"])
def test_a_model_that_ends_the_process_of_onnxruntime(
    make_job: MakeJob, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str
) -> None:
    child = tmp_path / "child.py"
    child.write_text("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)")
    monkeypatch.setattr(ort_session, "_CHILD", child)
    with pytest.raises(PeerError, match=r"ONNX Runtime .* crashed \(signal 11\)"):
        preparation.prepare(name, make_job())


def test_a_cache_that_cannot_be_written(make_job: MakeJob, tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file")
    with pytest.raises(OutputError, match="cannot be written"):
        preparation.prepare("onnxruntime", make_job())


@OPENVINO
def test_openvino_tells_why_it_ended(make_job: MakeJob) -> None:
    job = make_job()
    preparation.prepare("openvino-int8", job)
    model = next(job.cache.glob("openvino-int8-*")) / "model.xml"
    model.write_text("<net/>")
    with pytest.raises(PeerError, match="OpenVINO failed: "):
        preparation.prepare("openvino-int8", job)()


def test_openvino_may_not_use_amx(make_job: MakeJob, monkeypatch: pytest.MonkeyPatch) -> None:
    features = frozenset({"avx2", "avx_vnni", "avx512_vnni", "amx_int8"})
    monkeypatch.setattr(openvino_int8, "host_flags", lambda: features)
    assert openvino_int8.environment(make_job())["ONEDNN_MAX_CPU_ISA"] == "AVX512_CORE_VNNI"


@pytest.mark.parametrize(
    ("target", "features", "isa"),
    [
        ("host", {"avx2", "avx_vnni", "avx512_vnni", "amx_int8"}, "AVX512_CORE_VNNI"),
        ("host", {"avx2", "avx_vnni"}, "AVX2_VNNI"),
        ("host", {"avx2", "avx512f"}, "AVX2"),
        ("host", {"sse4_1"}, "SSE41"),
        ("host", {"asimd", "asimddp"}, None),
        ("x86-64-avx2", {"avx2", "avx_vnni", "avx512_vnni"}, "AVX2"),
        ("x86-64-avx512vnni", {"avx2", "avx512_vnni", "amx_int8"}, "AVX512_CORE_VNNI"),
        ("x86-64", {"avx2", "avx512_vnni"}, "SSE41"),
    ],
)
def test_onednn_isa(target: str, features: set[str], isa: str | None) -> None:
    assert onednn_isa(load_target(target), frozenset(features)) == isa
