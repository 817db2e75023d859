"""The metrics of onnxruntime.quantization.qdq_loss_debug for the layers of a network.

Its tools compare tensors, not layers; a layer is given those of its ONNX node: the weights, and its output (after the
activation that follows, where the quantizer leaves the tensor between them alone).
"""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import onnx
from onnxruntime.quantization import QuantType, qdq_loss_debug

from quantune_mlir.backend.peers.ort_static import Feed, Reader, prepare_static, quantize_qdq
from quantune_mlir.integer.integer_options import Granularity
from quantune_mlir.samples.sample_set import SampleSet

METRICS: Final = ("weight_error", "qdq_err", "xmodel_err")
"""SQNR in dB of the weights, of rounding an activation, and of the activation in the quantized model."""


def onnxruntime_metrics(
    model: Path, samples: SampleSet, granularity: Granularity, layers: Sequence[str]
) -> dict[str, dict[str, float | None]]:
    """Each metric by layer; None where it has none.

    Args:
        model: the ONNX file; its nodes are called as the layers are.
        samples: for calibration and comparison.
        granularity: of the weights.
        layers: names of the layers.
    """
    names = [value.name for value in onnx.load(model).graph.input]
    root = logging.getLogger()
    level = root.level
    root.setLevel(logging.ERROR)
    try:
        with tempfile.TemporaryDirectory() as folder:
            weights, activations, graph = _compare(model, Path(folder), samples, names, granularity)
    finally:
        root.setLevel(level)
    nodes = {node.name: node for node in graph.node}
    found: dict[str, dict[str, float | None]] = {}
    for layer in layers:
        node = nodes.get(layer)
        weight = next((weights[name] for name in node.input if name in weights), None) if node else None
        errors = next((activations[name] for name in _outputs(graph, node) if name in activations), {})
        found[layer] = {"weight_error": weight, **{name: errors.get(name) for name in METRICS[1:]}}
    return found


def _compare(
    model: Path, folder: Path, samples: SampleSet, inputs: Sequence[str], granularity: Granularity
) -> tuple[dict[str, float], dict[str, dict[str, float]], onnx.GraphProto]:
    ready, quantized = folder / "ready.onnx", folder / "quantized.onnx"
    prepare_static(model, ready)
    per_channel = granularity == "per-channel"
    quantize_qdq(ready, quantized, _feeds(samples, inputs), activations=QuantType.QUInt8, per_channel=per_channel)
    tensors: list[Any] = []
    for file in (quantized, ready):
        saving = folder / f"saving_{file.name}"
        qdq_loss_debug.modify_model_output_intermediate_tensors(str(file), str(saving))
        tensors.append(qdq_loss_debug.collect_activations(str(saving), Reader(_feeds(samples, inputs))))
    activations = qdq_loss_debug.create_activation_matching(*tensors)
    matched = {name: values for name, values in activations.items() if values.get("float")}
    weights = qdq_loss_debug.create_weight_matching(str(ready), str(quantized))
    return (
        qdq_loss_debug.compute_weight_error(weights),
        qdq_loss_debug.compute_activation_error(matched),
        onnx.load(ready).graph,
    )


def _outputs(graph: onnx.GraphProto, node: onnx.NodeProto | None) -> Iterator[str]:
    """A node's result, and what the activations after it make of it."""
    while node is not None:
        (name,) = node.output
        yield name
        readers = [other for other in graph.node if name in other.input]
        node = readers[0] if len(readers) == 1 and readers[0].op_type in ("Relu", "Clip") else None


def _feeds(samples: SampleSet, inputs: Sequence[str]) -> Iterator[Feed]:
    return (dict(zip(inputs, run, strict=True)) for run in samples)
