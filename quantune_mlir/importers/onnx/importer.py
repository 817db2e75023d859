"""Turns a checked ONNX graph into a module with one function of TOSA ops."""

from __future__ import annotations

import hashlib
from collections import ChainMap, Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import onnx

from quantune_mlir.errors import ModelError, UnsupportedNode, UnsupportedOperatorsError
from quantune_mlir.importers.common.block_emitter import refuse_empty
from quantune_mlir.importers.common.builder import Builder
from quantune_mlir.importers.common.edits import NO_EDITS, Edits
from quantune_mlir.importers.common.errors import Unsupported
from quantune_mlir.importers.common.growth import Growth
from quantune_mlir.importers.common.static_shapes import DynamicShapesError, StaticShapes
from quantune_mlir.importers.common.tensor import Tensor
from quantune_mlir.importers.onnx.bodies import (
    all_nodes,
    chosen_branch,
)
from quantune_mlir.importers.onnx.boundary import computed_input, declared_output, signature
from quantune_mlir.importers.onnx.editing import apply_edits
from quantune_mlir.importers.onnx.expansion import expanded, is_defined
from quantune_mlir.importers.onnx.floats import computed_constant
from quantune_mlir.importers.onnx.folding import CannotEvaluate, can_fold, fold
from quantune_mlir.importers.onnx.handlers import find_handler
from quantune_mlir.importers.onnx.inference import inferred_shapes, require_shapes
from quantune_mlir.importers.onnx.loading import LoadedModel, load_model, opset_version
from quantune_mlir.importers.onnx.naming import NodeNames
from quantune_mlir.importers.onnx.node import Node, attribute_values
from quantune_mlir.importers.onnx.ops.element_types import require_supported
from quantune_mlir.importers.onnx.pruning import live_values
from quantune_mlir.importers.onnx.quantized import fold_pair, moved_scales, require_scales, scale_attributes
from quantune_mlir.importers.onnx.refusals import remedy, unknown_operator, unknown_operators
from quantune_mlir.importers.onnx.rounds import Rounds
from quantune_mlir.importers.onnx.runtime.operators import RUNTIME_OPSET, is_written_out, written_out
from quantune_mlir.importers.onnx.signature import ModelInput, input_parameters
from quantune_mlir.importers.onnx.stored import stored_array
from quantune_mlir.mlir.attributes import EDITS, MODEL
from quantune_mlir.mlir.bindings import func, ir, make_context
from quantune_mlir.mlir.constants import tensor_type

_STANDARD_DOMAINS = ("", "ai.onnx")
_MISFITS = (
    *(ValueError, IndexError, KeyError, ArithmeticError, ir.MLIRError),
    *(TypeError, AttributeError, AssertionError, StopIteration, MemoryError),
)
"""What handlers raise of nodes that ONNX's rules let pass, though they fit nothing."""


def import_onnx(
    source: Path | str | onnx.ModelProto,
    *,
    batch: int = 1,
    shapes: Mapping[str, Sequence[int]] | None = None,
    samples: Mapping[str, Sequence[int]] | None = None,
    edits: Edits = NO_EDITS,
    keep_quantized: bool = False,
    context: ir.Context | None = None,
) -> ir.Module:
    """Import an fp32 ONNX model as a module of TOSA ops with one function, `@main`.

    The function has the model's own signature: order, layout and element types (integers signless, unsigned ones told
    by `quantune.element_type`; bf16 as fp32), static shapes; each argument and result carries its ONNX name as
    `quantune.name`. Every op but constants and layout transposes carries its node's name as `quantune.layer` and its
    op type as `quantune.op`.

    Args:
        source: a file or a model in memory.
        batch: the size of a dynamic first dimension.
        shapes: whole shapes by input name, for other dynamic dimensions.
        samples: shapes of arrays of samples by input name, which tell dynamic dimensions that nothing else tells.
        edits: inputs to pin, and tensors to cut at.
        keep_quantized: import a quantized model as one of QuantizeLinear and DequantizeLinear nodes, instead of
            refusing it.
        context: the MLIR context to build in; a new one by default.

    Raises:
        ModelError: the model as a whole cannot be imported.
        UnsupportedOperatorsError: some nodes cannot be imported; it lists all of them.
    """
    where = (source.graph.name or "model") if isinstance(source, onnx.ModelProto) else str(source)
    loaded = load_model(source, keep_quantized=keep_quantized)
    model = apply_edits(edits, loaded.proto, where)
    try:
        parameters = input_parameters(model.graph, StaticShapes(batch, shapes or {}, samples or {}), where)
    except DynamicShapesError as error:
        unknown = unknown_operators(model.graph, NodeNames().of(model.graph.node), opset_version(model))
        if unknown:
            raise UnsupportedOperatorsError(unknown, where=where) from error
        raise
    with context or make_context(), ir.Location.unknown(), np.errstate(all="ignore"):
        module = ir.Module.create()
        _GraphImport(model, loaded.size, parameters, where, keep_quantized=keep_quantized).build(module)
        if loaded.digest is not None:
            module.operation.attributes[MODEL] = ir.StringAttr.get(_digest(loaded, model))
            if told := edits.to_text():
                module.operation.attributes[EDITS] = ir.StringAttr.get(told)
    return module


def _digest(loaded: LoadedModel, edited: onnx.ModelProto) -> str:
    """The hash of what is computed with: the files' own, unless the model was edited."""
    if edited is loaded.proto and loaded.digest is not None:
        return loaded.digest
    return hashlib.sha256(edited.SerializeToString(deterministic=True)).hexdigest()


class _GraphImport:
    """The values and refusals gathered while one graph is imported."""

    def __init__(
        self, model: onnx.ModelProto, size: int, parameters: Sequence[ModelInput], where: str, *, keep_quantized: bool
    ) -> None:
        self._keep_quantized = keep_quantized
        self._graph = model.graph
        self._growth = Growth(size)
        self._opset = opset_version(model)
        self._parameters = parameters
        self._where = where
        self._stored = ChainMap({t.name: t for t in model.graph.initializer})
        self._uses = Counter(name for node in all_nodes(model.graph) for name in node.input)
        self._names = NodeNames()
        self._given: list[Tensor] = []
        # None stands for what cannot be known because a node was refused.
        self._tensors: ChainMap[str, Tensor | None] = ChainMap()
        self._refused: list[UnsupportedNode] = []

    @property
    def _rounds(self) -> Rounds:
        """Made each time: one that is kept refers to what keeps it, and Python would find late that both may go."""
        return Rounds(self._inlined, self._computed, self._refused, self._constant)

    def build(self, module: ir.Module) -> None:
        arguments = [tensor_type(p.shape, p.dtype) for p in self._parameters]
        with ir.InsertionPoint(module.body):
            main = func.FuncOp("main", (arguments, []))
        block = main.add_entry_block()
        builder = Builder(block, self._growth)
        for parameter, argument in zip(self._parameters, block.arguments, strict=True):
            given = Tensor.computed(argument, parameter.dtype)
            self._given.append(given)
            self._tensors[parameter.name] = computed_input(builder, parameter.name, given)
        self._import_nodes(builder, self._graph)
        if self._refused:
            advice = remedy(self._graph, self._tensors, self._refused)
            raise UnsupportedOperatorsError(self._refused, where=self._where, remedy=advice)
        self._finish(main, block, builder)

    def _import_nodes(self, builder: Builder, graph: onnx.GraphProto) -> None:
        live = live_values(graph)
        for proto, name in zip(graph.node, self._names.of(graph.node), strict=True):
            if any(o in live for o in proto.output):
                self._import_node(builder, proto, name)

    def _inlined(
        self,
        builder: Builder,
        body: onnx.GraphProto,
        given: Sequence[Tensor | None] = (),
        known: Mapping[str, Tensor] | None = None,
    ) -> list[Tensor | None]:
        """The outputs of a body, imported in place; its names are its own. What is not given comes from outside.

        `known` are values of outside as they are called in a block that does not see these.
        """
        outside = self._tensors, self._stored
        inputs = dict(zip((i.name for i in body.input), given, strict=True)) if given else {}
        self._tensors = self._tensors.new_child({**(known or {}), **inputs})
        self._stored = self._stored.new_child({t.name: t for t in body.initializer})
        try:
            self._import_nodes(builder, body)
            return [self._tensor(o.name) for o in body.output]
        finally:
            self._tensors, self._stored = outside

    def _computed(self, names: Iterable[str]) -> dict[str, Tensor]:
        """Those of the names whose values are computed at run time."""
        found = {name: self._tensors.get(name) for name in names}
        return {name: tensor for name, tensor in found.items() if tensor is not None and tensor.array is None}

    def _constant(self, name: str) -> np.ndarray | None:
        """The value of a name, if it is a constant."""
        tensor = self._tensor(name) if name in self._tensors or name in self._stored else None
        return None if tensor is None else tensor.array

    def _composed(
        self, builder: Builder, proto: onnx.NodeProto, name: str, inputs: Sequence[Tensor | None]
    ) -> list[Tensor | None]:
        """The results of a node that stands for others, whose layers are called after it."""
        opset = self._opset
        if is_written_out(proto):
            body, self._opset = written_out(proto, name, inputs), RUNTIME_OPSET
        else:
            body = expanded(proto, name, inputs, opset)
        if body is None:
            raise Unsupported(unknown_operator(proto.op_type, opset))
        try:
            results = dict(zip((o.name for o in body.output), self._inlined(builder, body), strict=True))
        finally:
            self._opset = opset
        return [results.get(output) for output in proto.output]

    def _import_node(self, builder: Builder, proto: onnx.NodeProto, name: str) -> None:
        try:
            results = self._results(builder, proto, name)
        except Unsupported as refusal:
            self._refused.append(UnsupportedNode(name, proto.op_type, str(refusal)))
            results = None
        except _MISFITS as error:
            first = next(iter(str(error).splitlines()), type(error).__name__)
            reason = f"its inputs or attributes do not fit together ({first})"
            self._refused.append(UnsupportedNode(name, proto.op_type, reason))
            results = None
        results = [None] * len(proto.output) if results is None else results
        self._tensors.update({output: t for output, t in zip(proto.output, results, strict=False) if output})

    def _tensor(self, name: str) -> Tensor | None:
        """A value by name, None where it cannot be known.

        A weight is read when it is needed and kept only if it is needed again: it may be large.
        """
        if name in self._tensors:
            return self._tensors[name]
        tensor = Tensor.constant(stored_array(self._stored[name]))
        if self._uses[name] > 1:
            self._tensors[name] = tensor
        return tensor

    def _results(self, builder: Builder, proto: onnx.NodeProto, name: str) -> Sequence[Tensor | None] | None:
        """The node's results; None where they cannot be known because a node before it was refused."""
        if proto.domain not in _STANDARD_DOMAINS and not is_written_out(proto):
            raise Unsupported(f"operator of the domain {proto.domain!r}")
        inputs = [self._tensor(i) if i else None for i in proto.input]
        blocked = any(tensor is None for name, tensor in zip(proto.input, inputs, strict=True) if name)
        if is_written_out(proto):
            return None if blocked else self._composed(builder, proto, name, inputs)
        is_folded = not blocked and can_fold(proto, inputs)
        stored, inputs = inputs, [tensor and computed_constant(tensor) for tensor in inputs]
        shapes = [] if blocked else inferred_shapes(proto, stored if is_folded else inputs, self._opset)
        handler = find_handler(proto.op_type, self._opset)
        if is_folded:
            pair = fold_pair(proto, stored) if self._keep_quantized else None
            if pair is not None:
                return pair
            require_scales(proto, stored)
            try:
                folded = fold(proto, stored, self._opset, shapes, self._growth)
                require_shapes(folded, shapes)
                return moved_scales(proto, stored, folded)
            except CannotEvaluate:
                if handler is None:
                    raise
        if proto.op_type == "If":
            return None if blocked else self._inlined(builder, chosen_branch(proto, inputs))
        if proto.op_type == "Loop":
            return None if blocked else self._rounds.loop(builder, proto, name, inputs)
        if proto.op_type == "Scan":
            return None if blocked else self._rounds.scan(builder, proto, name, inputs, self._opset)
        if handler is None:
            if blocked and is_defined(proto.op_type, self._opset):
                return None
            return self._composed(builder, proto, name, inputs)
        if blocked:
            return None
        node = Node(name, proto.op_type, self._opset, inputs, attribute_values(proto), proto.output)
        scales = scale_attributes(proto.op_type, inputs, bool(node.attribute("transB", 0)))
        with builder.importing(name, proto.op_type, scales):
            for tensor in inputs:
                if tensor is not None and tensor.array is None:
                    refuse_empty(tensor.shape)
            results = handler(builder, node)
        results = [results] if isinstance(results, Tensor) else results
        if any(node.uses_output(i) for i in range(len(results), len(node.outputs))):
            raise Unsupported(f"only its first {len(results)} output(s) can be computed")
        require_shapes(results, shapes)
        return results

    def _finish(self, main: func.FuncOp, block: ir.Block, builder: Builder) -> None:
        found = (self._tensor(o.name) for o in self._graph.output)
        outputs = [computed_constant(tensor) for tensor in found if tensor is not None]
        for info, tensor in zip(self._graph.output, outputs, strict=True):
            try:
                if tensor.parts is not None:
                    raise Unsupported("a sequence of tensors")
                require_supported(tensor.dtype)
                refuse_empty(tensor.shape)
            except Unsupported as refusal:
                raise ModelError(
                    f"output {info.name!r}: {refusal}", where=self._where, remedy="remove this output from the model"
                ) from refusal
        outputs = [declared_output(builder, o, t) for o, t in zip(self._graph.output, outputs, strict=True)]
        values = [builder.value(t) for t in outputs]
        with ir.InsertionPoint(block):
            func.ReturnOp(values)
        types = [v.type for v in values]
        main.attributes["function_type"] = ir.TypeAttr.get(ir.FunctionType.get(main.type.inputs, types))
        main.attributes["arg_attrs"] = signature([p.name for p in self._parameters], self._given)
        main.attributes["res_attrs"] = signature([o.name for o in self._graph.output], outputs)
