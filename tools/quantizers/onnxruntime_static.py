"""ONNX Runtime's `quantize_static`, QDQ with unsigned activations and signed weights; and the network as it is."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Final
from unittest.mock import patch

import numpy as np
import onnx
import onnxruntime
from onnx import helper
from onnxruntime.quantization import CalibrationMethod, QuantType

from quantune_mlir.backend.peers.ort_static import prepare_static, quantize_qdq
from quantune_mlir.hardware.host_isa import host_isa
from tools.quantizers.cases import REFERENCE, Case
from tools.quantizers.data import Data
from tools.quantizers.quantized import Quantized, Run, Runners, load_operators
from tools.quantizers.stages import Stages

_METHODS: Final = {
    "minmax": CalibrationMethod.MinMax,
    "entropy": CalibrationMethod.Entropy,
    "percentile": CalibrationMethod.Percentile,
}
_SATURATES: Final = host_isa() in ("avx2", "sse4")
"""Whether ONNX Runtime adds products of u8 and s8 in 16 bits here: its documentation wants `reduce_range` then."""
_MODEL: Final = "int8.onnx"
_make_options: Final = onnxruntime.SessionOptions


def load() -> None:
    """See `Quantizer`."""
    load_operators()
    logging.getLogger().setLevel(logging.ERROR)


def quantize(case: Case, data: Data, samples: int, directory: Path, stages: Stages) -> Quantized:
    """See `Quantizer`."""
    if case.name == REFERENCE:
        return Quantized(("fp32",))
    method, granularity = case.settings
    ready, model = directory / "preprocessed.onnx", directory / _MODEL
    with stages.stage("preprocess"):
        prepare_static(data.model, ready)
    with stages.stage("quantize"), patch.object(onnxruntime, "SessionOptions", _one_thread):
        quantize_qdq(
            ready,
            model,
            ({data.input: sample} for sample in data.samples("calib", samples)),
            activations=QuantType.QUInt8,
            method=_METHODS[method],
            per_channel=granularity == "per-channel",
            reduce_range=_SATURATES,
        )
    ready.unlink()
    return Quantized(("int8",))


def runners(case: Case, data: Data, directory: Path, variant: str) -> Runners:
    """See `Quantizer`."""
    file = data.model if case.name == REFERENCE else directory / _MODEL
    model = onnx.load(file)
    output = _session(model)
    softmaxes = [node for node in model.graph.node if node.op_type == "Softmax"]
    if len(softmaxes) != 1:
        return Runners([file], output, None)
    del model.graph.output[:]
    model.graph.output.append(helper.make_tensor_value_info(softmaxes[0].input[0], onnx.TensorProto.FLOAT, None))
    return Runners([file], output, _session(model))


def _session(model: onnx.ModelProto) -> Run:
    session = onnxruntime.InferenceSession(model.SerializeToString(), _one_thread(), providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return lambda sample: np.asarray(session.run(None, {name: sample})[0])


def _one_thread() -> onnxruntime.SessionOptions:
    """Options that keep to the CPU that this process is bound to: ONNX Runtime binds threads of its own to others."""
    options = _make_options()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return options
