"""Writes a planned network as an ONNX model of QuantizeLinear and DequantizeLinear nodes.

In:  the ONNX model that the network came from; the network, repaired, with parameters and precisions.
Out: the same graph. What was folded into a product is gone; a product has its repaired weights, in int8 those that the
     compiled program has; each tensor that the program stores in int8 passes a pair of nodes; all else is as it was.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx
from google.protobuf.message import EncodeError

from quantune_mlir.backend.deliverable import Activations
from quantune_mlir.backend.deliverables.qdq.clamps import fit_clamps
from quantune_mlir.backend.deliverables.qdq.onnx_graph import OnnxGraph
from quantune_mlir.backend.deliverables.qdq.opset import raised
from quantune_mlir.backend.deliverables.qdq.planned import PlannedModel, has_weights
from quantune_mlir.backend.deliverables.qdq.products import Counterpart, counterparts, weighted_unit
from quantune_mlir.backend.deliverables.qdq.tensors import StoredTensors
from quantune_mlir.backend.deliverables.qdq.writer import Writer
from quantune_mlir.errors import OutputError
from quantune_mlir.graph.units import Unit
from quantune_mlir.integer.integer_options import IntegerOptions
from quantune_mlir.mlir.constants import constant_value
from quantune_mlir.mlir.signature import result_specs
from quantune_mlir.model import Model


@dataclass(frozen=True)
class QdqModel:
    """A model of QuantizeLinear and DequantizeLinear nodes.

    Attributes:
        proto: the checked model.
        left_in_fp32: layers of the plan that are int8, but whose weights no node of the model has: made by our
            simplification, or inside of a node.
    """

    proto: onnx.ModelProto
    left_in_fp32: tuple[str, ...]

    def to_bytes(self) -> bytes:
        """The .onnx file. Raises OutputError where protobuf cannot hold it."""
        try:
            return self.proto.SerializeToString(deterministic=True)
        except (ValueError, EncodeError) as error:
            raise OutputError(
                "the model is larger than the 2 GiB that a file can hold", where="qdq-onnx", remedy="cut it in parts"
            ) from error


def export_qdq(
    source: onnx.ModelProto,
    model: Model,
    annotated: Model,
    options: IntegerOptions,
    activations: Activations = "uint8",
) -> QdqModel:
    """The plan of `annotated` on the graph of `source`.

    Args:
        source: what `model` was imported from; it stays as it is.
        model: the simplified fp32 model.
        annotated: the same after repairs, with `quantune.qparams` and `quantune.precision`.
        options: how int8 is computed.
        activations: the type that activations are stored in.

    Raises:
        OutputError: the model computes in fp16, its opset cannot be raised, or equalized ranges cannot be told in ONNX.
    """
    copy = onnx.ModelProto()
    copy.CopyFrom(source)
    copy = raised(copy)
    _require_fp32(copy)
    _tell_ranks(copy, model)
    graph = OnnxGraph(copy)
    planned = PlannedModel.of(model, annotated, options)
    products = counterparts(graph, planned.original)
    planned = planned.proved_by(products)
    _require_told(planned, products)
    for product in products.values():
        product.node.input[0], product.node.output[0] = product.source, product.result
        for node in product.folded:
            graph.nodes.remove(node)
    graph.index()
    bypassed = fit_clamps(graph, planned)
    tensors = StoredTensors(graph, planned, bypassed)
    units = {name: weighted_unit(planned.units.get(name, ())) for name in products}
    for name, unit in units.items():
        if unit is not None:
            tensors.complete(products[name].source, unit)
    writer = Writer(graph, planned, tensors, activations)
    for node in graph.nodes:
        writer.write(node, units.get(node.name))
    graph.write(writer.nodes)
    onnx.checker.check_model(copy, full_check=copy.ByteSize() < onnx.checker.MAXIMUM_PROTOBUF)
    left = [
        layer for layer, units in planned.units.items() if layer not in products and _has_int8_weights(units, planned)
    ]
    return QdqModel(copy, tuple(left))


def _has_int8_weights(units: list[Unit], planned: PlannedModel) -> bool:
    return any(planned.in_int8(unit.output) and has_weights(unit) for unit in units)


def _weights(unit: Unit) -> np.ndarray | None:
    return constant_value(unit.op.operands[1]) if unit.kind.value == "dot" else None


def _tell_ranks(proto: onnx.ModelProto, model: Model) -> None:
    """Outputs that are declared without a shape get one whose sizes are open: ONNX's checker asks for it."""
    for info, (_, sizes, _) in zip(proto.graph.output, result_specs(model.function), strict=True):
        if not info.type.tensor_type.HasField("shape"):
            info.type.tensor_type.shape.SetInParent()
            for _ in sizes:
                info.type.tensor_type.shape.dim.add()


def _require_fp32(model: onnx.ModelProto) -> None:
    halves = (onnx.TensorProto.FLOAT16, onnx.TensorProto.BFLOAT16, onnx.TensorProto.DOUBLE)
    found = [tensor.name for tensor in model.graph.initializer if tensor.data_type in halves]
    found += [info.name for info in model.graph.input if info.type.tensor_type.elem_type in halves]
    if found:
        raise OutputError(
            f"the model does not compute in fp32: {found[0]!r}",
            where="qdq-onnx",
            remedy="quantize the fp32 model that it was made from",
        )


def _require_told(planned: PlannedModel, products: dict[str, Counterpart]) -> None:
    """Equalized ranges change both sides of what lies between two products: each must have a node to say so."""
    for layer, units in planned.units.items():
        if layer in products:
            continue
        for unit, before in zip(units, planned.original.get(layer, []), strict=False):
            new, old = _weights(unit), _weights(before)
            if new is not None and old is not None and not np.array_equal(new, old):
                raise OutputError(
                    f"equalized ranges change the weights of {layer!r}, which no node of the ONNX model has",
                    where="qdq-onnx",
                    remedy="quantize with --no-equalize",
                )
