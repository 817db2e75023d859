"""Reads an ONNX file and refuses, with a remedy, what cannot be imported as a whole."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import onnx
from google.protobuf.message import DecodeError

from quantune_mlir.errors import ModelError, QuantizedModelError
from quantune_mlir.files.access import read_file
from quantune_mlir.importers.common.errors import Unsupported
from quantune_mlir.importers.kinds import refuse_other_kinds
from quantune_mlir.importers.onnx.bodies import all_graphs, all_nodes
from quantune_mlir.importers.onnx.external import load_external
from quantune_mlir.importers.onnx.inlining import inlined
from quantune_mlir.importers.onnx.qlinear import KEPT, taken_apart
from quantune_mlir.importers.onnx.runtime.operators import with_domains
from quantune_mlir.importers.onnx.stored import stored_array

_LARGEST_FILE = 1 << 31
"""What protobuf can hold."""
OLDEST_OPSET = 7
# Opsets 22 to 28 change the imported operators only in the element types they take, SpaceToDepth's mode apart.
NEWEST_OPSET = 28

_QUANTIZED = {
    "QuantizeLinear",
    "DequantizeLinear",
    "DynamicQuantizeLinear",
    "QLinearConv",
    "QLinearMatMul",
    "QLinearAdd",
    "QLinearMul",
    "QLinearConcat",
    "QLinearAveragePool",
    "QLinearGlobalAveragePool",
    "QLinearLeakyRelu",
    "QLinearSigmoid",
    "QLinearSoftmax",
    "QGemm",
    "ConvInteger",
    "MatMulInteger",
    "MatMulIntegerToFloat",
    "DynamicQuantizeMatMul",
}
_WEIGHTED = {
    "Conv",
    "ConvTranspose",
    "Gemm",
    "MatMul",
    "BatchNormalization",
    "LayerNormalization",
    "PRelu",
}


@dataclass(frozen=True)
class LoadedModel:
    """A model that can be imported.

    Attributes:
        proto: the checked model, its local functions inlined.
        digest: SHA-256 of the file, and of what it keeps in other files; hexadecimal. None of a model in memory.
        size: bytes of the file and of what it keeps in other files.
    """

    proto: onnx.ModelProto
    digest: str | None
    size: int


def load_model(source: Path | str | onnx.ModelProto, *, keep_quantized: bool = False) -> LoadedModel:
    """The model of a file or protobuf; of a quantized one, if that is to be kept, QLinear nodes are taken apart.

    Raises:
        ModelError: the file is missing, not ONNX, invalid, of an unknown opset, already quantized, or has sparse
            weights, or NaN or infinity in them.
    """
    path: Path | None = None
    if isinstance(source, onnx.ModelProto):
        where, loaded = source.graph.name or "model", _in_memory(source)
    else:
        path = Path(source)
        where, loaded = str(source), read_model(path)
    _check_opset(loaded.proto, where)
    model = with_domains(loaded.proto, opset_version(loaded.proto))
    _check(model, where, path if model is loaded.proto else None)
    model = inlined(model, where)
    _refuse_sparse(model, where)
    _refuse_quantized(model, where, keep_quantized)
    if keep_quantized:
        model = taken_apart(model)
    _refuse_bad_weights(model, where)
    return replace(loaded, proto=model)


def _in_memory(model: onnx.ModelProto) -> LoadedModel:
    return LoadedModel(model, None, model.ByteSize())


def read_model(path: Path) -> LoadedModel:
    """What is in a file and in those it refers to, unchecked. Raises ModelError if they cannot be read."""
    where = str(path)
    if not path.exists():
        raise ModelError("no such file", where=where, remedy="check the path of the model")
    if path.is_dir():
        refuse_other_kinds(path)
    content = read_file(path, limit=_LARGEST_FILE, error=ModelError)
    digest, size = hashlib.sha256(content), len(content)
    try:
        model = onnx.load_model_from_string(content)
    except (DecodeError, ValueError) as error:
        refuse_other_kinds(path)
        raise ModelError(
            "not an ONNX model, or a truncated one", where=where, remedy="export or download the model again"
        ) from error
    del content
    if not model.ir_version or not model.graph.node:
        refuse_other_kinds(path)
        raise ModelError("not an ONNX model: it has no graph", where=where, remedy="give an .onnx file")
    for part in load_external(model, path):
        digest.update(part)
        size += len(part)
    return LoadedModel(model, digest.hexdigest(), size)


def _check(model: onnx.ModelProto, where: str, path: Path | None) -> None:
    shaped = _with_shapes(model)
    try:
        onnx.checker.check_model(shaped if path is None or shaped is not model else str(path))
    except (onnx.checker.ValidationError, ValueError, RuntimeError, TypeError) as error:
        raise ModelError(
            "not a valid ONNX model: " + " ".join(str(error).split()), where=where, remedy="export the model again"
        ) from error
    names: list[object] = [name for n in all_nodes(model.graph) for name in (n.name, n.op_type, *n.input, *n.output)]
    if not all(isinstance(name, str) for name in names):  # protobuf gives bytes for what is not UTF-8
        raise ModelError("not a valid ONNX model: a name is not UTF-8", where=where, remedy="export the model again")


def _with_shapes(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model, outputs without a shape given one: the checker asks for it, where other readers infer it."""
    types = [output.type.tensor_type for output in model.graph.output]
    if all(kind.HasField("shape") or not kind.elem_type for kind in types):
        return model
    shaped = onnx.ModelProto()
    shaped.CopyFrom(model)
    for output in shaped.graph.output:
        if output.type.tensor_type.elem_type:
            output.type.tensor_type.shape.SetInParent()
    return shaped


def opset_version(model: onnx.ModelProto) -> int:
    """The version of the default operator set that the model uses."""
    return next((o.version for o in model.opset_import if o.domain in ("", "ai.onnx")), 1)


def _check_opset(model: onnx.ModelProto, where: str) -> None:
    version = opset_version(model)
    if not OLDEST_OPSET <= version <= NEWEST_OPSET:
        raise ModelError(
            f"opset {version}; opsets {OLDEST_OPSET} to {NEWEST_OPSET} are supported",
            where=where,
            remedy="export it at one of these opsets, or convert it with onnx.version_converter",
        )


def _refuse_quantized(model: onnx.ModelProto, where: str, keep_quantized: bool) -> None:
    """What holds no more than weights in integers is computed in fp32."""
    found = [n for n in all_nodes(model.graph) if n.op_type in _QUANTIZED]
    if keep_quantized:
        found = [n for n in found if n.op_type not in KEPT]
    stored = {t.name for graph in all_graphs(model.graph) for t in graph.initializer}
    stored.update(o for n in all_nodes(model.graph) if n.op_type == "Constant" for o in n.output)
    if all(n.op_type == "DequantizeLinear" and stored.issuperset(filter(None, n.input)) for n in found):
        return
    first = found[0].name or found[0].output[0]
    such = f"{len(found)} node(s) such as {first!r} ({found[0].op_type})"
    if keep_quantized:
        raise ModelError(
            f"the model is quantized in a form that cannot be kept: {such}",
            where=where,
            remedy="quantize it statically, to QuantizeLinear and DequantizeLinear nodes "
            "(onnxruntime: quantize_static with QuantFormat.QDQ)",
        )
    remedy = "give the fp32 model that it was made from"
    if all(n.op_type in KEPT for n in found):
        remedy += (
            ", compile it as it is (quantune compile MODEL -o FILE.vmfb), "
            "or see what its roundings do (quantune analyze MODEL)"
        )
    raise QuantizedModelError(f"the model is quantized already: {such}", where=where, remedy=remedy)


def _refuse_sparse(model: onnx.ModelProto, where: str) -> None:
    found = [sparse.values.name for graph in all_graphs(model.graph) for sparse in graph.sparse_initializer]
    found += [
        node.output[0]
        for node in all_nodes(model.graph)
        for attribute in node.attribute
        if node.op_type == "Constant" and attribute.name == "sparse_value"
    ]
    if found:
        raise ModelError(
            f"{len(found)} sparse tensor(s) such as {found[0]!r}",
            where=where,
            remedy="store them whole, zeros included",
        )


def _refuse_bad_weights(model: onnx.ModelProto, where: str) -> None:
    """NaN is refused in every stored tensor that is read, infinity in those that an op multiplies by."""
    read = {name for graph in all_graphs(model.graph) for name in (o.name for o in graph.output)}
    read.update(name for node in all_nodes(model.graph) for name in node.input)
    weights = {name for node in all_nodes(model.graph) if node.op_type in _WEIGHTED for name in node.input}
    for name, array in _stored_tensors(model.graph, where):
        if name not in read or array.dtype.kind != "f" or np.isfinite(array).all():
            continue
        bad = np.isnan(array) if name not in weights else ~np.isfinite(array)
        if bad.any():
            index = [int(i) for i in np.argwhere(bad)[0]] if array.ndim else []
            raise ModelError(
                f"tensor {name!r} holds {int(bad.sum())} NaN or infinite value(s), the first at {index}",
                where=where,
                remedy="the weights are broken: train or export the model again",
            )


def _stored_tensors(graph: onnx.GraphProto, where: str) -> Iterator[tuple[str, np.ndarray]]:
    """Those of numbers; a node that needs another is refused when it is imported."""
    stored = [(t.name, t) for inner in all_graphs(graph) for t in inner.initializer]
    for node in all_nodes(graph):
        if node.op_type == "Constant" and node.output:
            stored += [(node.output[0], a.t) for a in node.attribute if a.name == "value"]
    for name, tensor in stored:
        try:
            yield name, stored_array(tensor)
        except Unsupported:
            continue
        except ModelError as error:
            error.where = where
            raise
