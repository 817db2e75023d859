"""What ONNX's own rules say of a node: whether its attributes and inputs are allowed, and the shapes it yields.

The operators' schemas check most attributes; the words that some may have are checked here.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
import onnx
from onnx import defs, shape_inference

from quantune_mlir.importers.common.errors import Unsupported
from quantune_mlir.importers.common.tensor import Tensor
from quantune_mlir.importers.onnx.bodies import bodies

_KNOWN_ELEMENTS: Final = 4096
"""Constants of more elements are not asked for a shape."""
_LONGEST: Final = 300
_PADDING: Final = frozenset({"NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID"})
_DEPTH_ORDER: Final = frozenset({"DCR", "CRD"})
_DIRECTIONS: Final = frozenset({"forward", "reverse", "bidirectional"})
_WORDS: Final[Mapping[tuple[str, str], frozenset[str]]] = {
    **{
        (op, "auto_pad"): _PADDING
        for op in ("Conv", "ConvTranspose", "AveragePool", "MaxPool", "LpPool", "ConvInteger", "QLinearConv")
    },
    **{(op, "direction"): _DIRECTIONS for op in ("LSTM", "GRU", "RNN")},
    ("DepthToSpace", "mode"): _DEPTH_ORDER,
    ("SpaceToDepth", "mode"): _DEPTH_ORDER,
    ("Pad", "mode"): frozenset({"constant", "reflect", "edge", "wrap"}),
    ("Resize", "mode"): frozenset({"nearest", "linear", "cubic"}),
    ("Upsample", "mode"): frozenset({"nearest", "linear"}),
    ("Resize", "nearest_mode"): frozenset({"round_prefer_floor", "round_prefer_ceil", "floor", "ceil", "simple"}),
    ("Resize", "keep_aspect_ratio_policy"): frozenset({"stretch", "not_larger", "not_smaller"}),
    ("Resize", "coordinate_transformation_mode"): frozenset(
        {
            "half_pixel",
            "half_pixel_symmetric",
            "pytorch_half_pixel",
            "align_corners",
            "asymmetric",
            "tf_half_pixel_for_nn",
            "tf_crop_and_resize",
        }
    ),
    ("Gelu", "approximate"): frozenset({"none", "tanh"}),
}

_FLAGS: Final = frozenset(
    """
    align_corners allowzero antialias ceil_mode count_include_pad detect_negative detect_positive exclude_outside
    exclusive fmod interleaved inverse is_causal keepdims largest layout linear_before_reset new_axis
    noop_with_empty_axes onesided periodic reverse saturate select_last_index sorted storage_order
    training_mode transA transB upper
    """.split()  # noqa: SIM905
)
_UNBOUNDED: Final = frozenset({"Clip", "Pad"})
"""Whose numbers may be infinite."""
_MOST_AXES: Final = 64
"""No tensor has more; the rules add numbers to an axis without minding overflow."""
_AXES: Final = frozenset({("LayerNormalization", "axis"), ("RMSNormalization", "axis"), ("GatherND", "batch_dims")})
"""What ONNX's rules read memory by, unchecked."""


def inferred_shapes(node: onnx.NodeProto, inputs: Sequence[Tensor | None], opset: int) -> list[tuple[int, ...] | None]:
    """The shape of each output of a node, None where the rules do not tell.

    Raises:
        Unsupported: ONNX does not allow the node with these inputs.
    """
    _check_words(node)
    _check_numbers(node)
    _check_axes(node, inputs)
    unknown: list[tuple[int, ...] | None] = [None] * len(node.output)
    if any(bodies(node)) or not defs.has(node.op_type, domain="", max_inclusive_version=opset):
        return unknown
    schema = defs.get_schema(node.op_type, max_inclusive_version=opset, domain="")
    given = {name: tensor for name, tensor in zip(node.input, inputs, strict=True) if name and tensor is not None}
    try:
        types = {name: _type(tensor) for name, tensor in given.items()}
        data = {name: _data(tensor) for name, tensor in given.items() if _is_small(tensor)}
    except (KeyError, ValueError, TypeError):  # element types that ONNX has no number for
        return unknown
    imports = [onnx.helper.make_opsetid("", opset)]
    try:
        found = shape_inference.infer_node_outputs(schema, node, types, data, opset_imports=imports)
    except Exception as error:  # the binding raises errors of a dozen types
        raise Unsupported(f"ONNX does not allow it: {_reason(error)}") from error
    given_attributes = {attribute.name: attribute.i for attribute in node.attribute}
    if given_attributes.get("ceil_mode"):
        return unknown  # The rules count windows that begin in the trailing padding; the operators have none there.
    if node.op_type == "STFT" and "onesided" not in given_attributes:
        return unknown  # The rules take it for 0, the operator's definition for 1.
    return [_static_shape(found.get(name)) if name else None for name in node.output]


def require_shapes(results: Sequence[Tensor | None], shapes: Sequence[tuple[int, ...] | None]) -> None:
    """Raises Unsupported if a result is not of the shape that ONNX's rules give it."""
    for result, shape in zip(results, shapes, strict=False):
        if result is not None and shape is not None and result.shape != shape:
            raise Unsupported(f"a result of shape {list(result.shape)}, where ONNX's rules tell {list(shape)}")


def _check_words(node: onnx.NodeProto) -> None:
    for attribute in node.attribute:
        if attribute.name == "num_outputs" and attribute.i != len(node.output):
            raise Unsupported(f"num_outputs is {attribute.i}, it has {len(node.output)}")
        if attribute.name in _FLAGS and attribute.i not in (0, 1):
            raise Unsupported(f"{attribute.name} is {attribute.i}, not 0 or 1")
        if attribute.name == "qk_matmul_output_mode" and attribute.i not in range(4):
            raise Unsupported(f"{attribute.name} is {attribute.i}, not 0 to 3")
        allowed = _WORDS.get((node.op_type, attribute.name))
        word = attribute.s.decode("utf-8", errors="replace")
        if allowed is not None and word not in allowed:
            raise Unsupported(f"{attribute.name} {word!r} is none of {', '.join(sorted(allowed))}")


def _check_numbers(node: onnx.NodeProto) -> None:
    for attribute in node.attribute:
        known = math.isfinite(attribute.f) or (node.op_type in _UNBOUNDED and not math.isnan(attribute.f))
        if not known and node.op_type != "Constant":
            raise Unsupported(f"{attribute.name} is {attribute.f}")
        if attribute.name == "softcap" and attribute.f < 0:
            raise Unsupported(f"softcap is {attribute.f:g}, less than 0")


def _check_axes(node: onnx.NodeProto, inputs: Sequence[Tensor | None]) -> None:
    rank = len(inputs[0].shape) if inputs and inputs[0] is not None else 0
    for attribute in node.attribute:
        if attribute.name == "axis" and abs(attribute.i) > _MOST_AXES:
            raise Unsupported(f"axis {attribute.i} is none of a tensor")
        if (node.op_type, attribute.name) in _AXES and not -rank <= attribute.i < rank:
            raise Unsupported(f"{attribute.name} {attribute.i} of a tensor with {rank} axes")


def _type(tensor: Tensor) -> onnx.TypeProto:
    number = onnx.helper.np_dtype_to_tensor_dtype(tensor.dtype)
    if tensor.parts is not None:
        return onnx.helper.make_sequence_type_proto(onnx.helper.make_tensor_type_proto(number, None))
    return onnx.helper.make_tensor_type_proto(number, tensor.shape)


def _is_small(tensor: Tensor) -> bool:
    return tensor.array is not None and tensor.size <= _KNOWN_ELEMENTS


def _data(tensor: Tensor) -> onnx.TensorProto:
    return onnx.numpy_helper.from_array(np.ascontiguousarray(tensor.known).reshape(tensor.shape))


def _static_shape(kind: onnx.TypeProto | None) -> tuple[int, ...] | None:
    if kind is None or not kind.HasField("tensor_type") or not kind.tensor_type.HasField("shape"):
        return None
    dimensions = kind.tensor_type.shape.dim
    return tuple(d.dim_value for d in dimensions) if all(d.HasField("dim_value") for d in dimensions) else None


def _reason(error: Exception) -> str:
    text = str(error).strip() or type(error).__name__
    return text.splitlines()[0].rpartition("Error] ")[2][:_LONGEST]
