"""Writes nodes one after the other, with QuantizeLinear and DequantizeLinear nodes where tensors are int8."""

from __future__ import annotations

from typing import Final

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx.helper import make_attribute, make_node

from quantune_mlir.backend.deliverable import Activations
from quantune_mlir.backend.deliverables.qdq.onnx_graph import OnnxGraph
from quantune_mlir.backend.deliverables.qdq.planned import PlannedModel
from quantune_mlir.backend.deliverables.qdq.products import in_onnx_layout
from quantune_mlir.backend.deliverables.qdq.tensors import StoredTensors
from quantune_mlir.graph.units import Kind, Unit
from quantune_mlir.integer.dot import quantized_weights
from quantune_mlir.mlir.constants import constant_value, is_constant
from quantune_mlir.numerics.formats import INT8_ACTIVATIONS
from quantune_mlir.numerics.parameters import QuantParams, activation_params, quantize

_TO_UINT8: Final = 128
_REQUANTIZED: Final = {"Conv", "ConvTranspose", "Gemm"}
"""Between DequantizeLinear of one scale and their own weights in fp32, ONNX Runtime quantizes these unasked."""


class Writer:
    """The nodes of the new graph, in order."""

    def __init__(
        self, graph: OnnxGraph, planned: PlannedModel, tensors: StoredTensors, activations: Activations
    ) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self._graph = graph
        self._planned = planned
        self._tensors = tensors
        self._activations = activations
        self._raw: dict[str, str] = {}
        self._quantized: dict[str, str] = {}
        self._dequantized: dict[str, str] = {}
        self._params: dict[QuantParams, tuple[str, str]] = {}

    def write(self, node: onnx.NodeProto, product: Unit | None) -> None:
        """Write a node; `product` is the unit that it is, if its weights are to be written."""
        in_int8 = product is not None and self._planned.in_int8(product.output)
        protected = node.op_type in _REQUANTIZED and not in_int8
        read = [self._read(name, node, protected and place == 0) for place, name in enumerate(node.input)]
        if node.op_type == "AveragePool" and read[0] != node.input[0] and self._is_kept_in_fp32(node):
            read[0] = self._bounded(node.input[0], read[0])
        made = [self._make(name) for name in node.output]
        if product is None:
            copy = onnx.NodeProto()
            copy.CopyFrom(node)
            for field, names in (("input", read), ("output", made)):
                copy.ClearField(field)
                getattr(copy, field).extend(names)
            self.nodes.append(copy)
        else:
            self._write_product(node, product, read[0], made[0], in_int8=in_int8)
        for name in node.output:
            if name in self._graph.outputs and self._tensors[name].only_int8:
                self._dequantize(name, name)

    def _read(self, name: str, node: onnx.NodeProto, protected: bool) -> str:
        if not name:
            return name
        constant = self._constant_operand(name, node)
        if constant is not None:
            return constant
        if not self._tensors.is_read_in_int8(name, node):
            return name
        if protected and (channels := self._channels(name)) > 1:
            return self._dequantize_channels(name, channels)
        if name not in self._dequantized:
            self._dequantize(name, self._graph.free(f"{name}/dequantized"))
        return self._dequantized[name]

    def _make(self, name: str) -> str:
        """What a node calls its result: an output of the model that is int8 has its name behind DequantizeLinear."""
        if name in self._graph.outputs and self._tensors[name].only_int8:
            self._raw[name] = self._graph.free(f"{name}/fp32")
        return self._raw.get(name, name)

    def _constant_operand(self, name: str, node: onnx.NodeProto) -> str | None:
        """A constant that an int8 sum or product of two tensors reads, in int8."""
        units = self._planned.units.get(node.name, [])
        if len(units) != 1 or units[0].kind is not Kind.BINARY or not self._planned.in_int8(units[0].output):
            return None
        array = self._graph.constant(name)
        if array is None or not any(is_constant(value) for value in list(units[0].op.operands)[:2]):
            return None
        low, high = min(float(array.min()), 0.0), max(float(array.max()), 0.0)
        params = activation_params(low, high, self._planned.options.scheme)
        stored = self._graph.store(self._as_stored(quantize(array, params)), f"{name}/quantized")
        return self._node("DequantizeLinear", [stored, *self._stored_params(params)], f"{name}/dequantized")

    def _quantize(self, name: str) -> str:
        if name not in self._quantized:
            params = self._tensors[name].params
            assert params is not None
            source = [self._raw.get(name, name), *self._stored_params(params)]
            self._quantized[name] = self._node("QuantizeLinear", source, f"{name}/quantized")
        return self._quantized[name]

    def _dequantize(self, name: str, result: str) -> None:
        params = self._tensors[name].params
        assert params is not None
        label = self._graph.free(f"{name}/DequantizeLinear")
        self.nodes.append(
            make_node("DequantizeLinear", [self._quantize(name), *self._stored_params(params)], [result], label)
        )
        self._dequantized[name] = result

    def _dequantize_channels(self, name: str, channels: int) -> str:
        """The same numbers with a scale for each channel, all alike: what has such an input stays fp32."""
        params = self._tensors[name].params
        assert params is not None
        scale = self._graph.store(np.full(channels, params.scale, np.float32), f"{name}/channel_scales")
        zero = self._as_stored(np.full(channels, params.zero_point, np.int8))
        zero_point = self._graph.store(zero, f"{name}/channel_zero_points")
        source = [self._quantize(name), scale, zero_point]
        return self._node("DequantizeLinear", source, f"{name}/dequantized", 1)

    def _is_kept_in_fp32(self, pool: onnx.NodeProto) -> bool:
        """Whether an average of a dequantized tensor must not be computed on its integers.

        OpenVINO does so and rounds it to integers, also where nothing quantizes the average. ONNX Runtime does so where
        something quantizes it, and then divides what a window that reaches beyond counted padding sums up by another
        number.
        """
        told = {attribute.name for attribute in pool.attribute if attribute.i}
        counts_padding = {"count_include_pad", "ceil_mode"} <= told
        return counts_padding or self._tensors[pool.output[0]].params is None

    def _bounded(self, name: str, dequantized: str) -> str:
        """The same numbers behind a Clip that changes none of them: so engines compute the average in fp32."""
        params = self._tensors[name].params
        assert params is not None
        ends = {"lowest": INT8_ACTIVATIONS.minimum, "highest": INT8_ACTIVATIONS.maximum}
        bounds = [
            self._graph.store(
                np.float32(params.scale) * np.array(end - params.zero_point, np.float32), f"{name}/{side}"
            )
            for side, end in ends.items()
        ]
        return self._node("Clip", [dequantized, *bounds], f"{name}/bounded")

    def _channels(self, name: str) -> int:
        shape = self._graph.shape(name)
        return shape[1] or 0 if shape is not None and len(shape) > 1 else 0

    def _write_product(self, node: onnx.NodeProto, unit: Unit, source: str, result: str, *, in_int8: bool) -> None:
        own = self._graph.constant(node.input[1])
        assert own is not None
        weights_name, bias_name = f"{node.name}/weight", f"{node.name}/bias"
        weights, bias = constant_value(unit.op.operands[1]), None
        assert weights is not None
        if unit.op.name != "tosa.matmul":
            bias = constant_value(unit.op.operands[2])
            assert bias is not None
            bias = np.broadcast_to(bias, unit.op.results[0].type.shape[-1:])
        if not in_int8:
            weights = self._graph.store(in_onnx_layout(weights, unit.op, node, own.shape), weights_name)
            stored_bias = None if bias is None or not bias.any() else self._graph.store(bias, bias_name)
        else:
            params = self._tensors[node.input[0]].params
            assert params is not None
            quantized = quantized_weights(unit, params.scale, self._planned.options, self._planned.formats[unit.output])
            integers = in_onnx_layout(quantized.integers.reshape(weights.shape), unit.op, node, own.shape)
            axis = integers.ndim - 1 if node.op_type == "MatMul" else 0
            weights = self._stored_integers(integers, quantized.scales, weights_name, axis)
            scales = (np.float64(params.scale) * quantized.scales.astype(np.float64)).astype(np.float32)
            bias = quantized.bias
            stored_bias = self._stored_integers(bias, scales, bias_name, 0) if bias is not None and bias.any() else None
        self._append_product(node, source, weights, stored_bias, result)

    def _append_product(self, node: onnx.NodeProto, source: str, weights: str, bias: str | None, result: str) -> None:
        copy = onnx.NodeProto()
        copy.CopyFrom(node)
        for field in ("input", "output"):
            copy.ClearField(field)
        if node.op_type == "Gemm":
            kept = [a for a in node.attribute if a.name == "transA"]
            copy.ClearField("attribute")
            copy.attribute.extend([*kept, make_attribute("transB", 1)])
        if node.op_type == "MatMul" and bias is not None:
            product = self._graph.free(f"{node.name}/product")
            copy.input.extend([source, weights])
            copy.output.append(product)
            self.nodes += [copy, make_node("Add", [product, bias], [result], self._graph.free(f"{node.name}/Add"))]
            return
        copy.input.extend([source, weights] if bias is None else [source, weights, bias])
        copy.output.append(result)
        self.nodes.append(copy)

    def _stored_integers(self, integers: NDArray[np.generic], scales: NDArray[np.float32], name: str, axis: int) -> str:
        """Stored integers and their DequantizeLinear; scales along an axis, or one."""
        single = scales.size == 1
        stored = self._graph.store(integers, f"{name}/quantized")
        scale = self._graph.store(scales.reshape(()) if single else scales, f"{name}/scale")
        zero = np.zeros(() if single else scales.shape, integers.dtype)
        source = [stored, scale, self._graph.store(zero, f"{name}/zero_point")]
        return self._node("DequantizeLinear", source, name, None if single else axis)

    def _stored_params(self, params: QuantParams) -> tuple[str, str]:
        if params not in self._params:
            number = len(self._params)
            scale = self._graph.store(np.array(params.scale, np.float32), f"quantization/scale_{number}")
            zero = self._as_stored(np.array(params.zero_point, np.int8))
            self._params[params] = scale, self._graph.store(zero, f"quantization/zero_point_{number}")
        return self._params[params]

    def _as_stored(self, integers: NDArray[np.int8 | np.int16]) -> NDArray[np.int8 | np.int16 | np.uint8]:
        if self._activations == "int8":
            return integers
        return (integers.astype(np.int16) + _TO_UINT8).astype(np.uint8)

    def _node(self, op_type: str, inputs: list[str], result: str, axis: int | None = None) -> str:
        name = self._graph.free(result)
        node = make_node(op_type, inputs, [name], self._graph.free(f"{result}/{op_type}"))
        if axis is not None:
            node.attribute.append(make_attribute("axis", axis))
        self.nodes.append(node)
        return name
