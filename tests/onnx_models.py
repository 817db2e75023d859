"""Small ONNX models for tests, and ONNX Runtime's answer to them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime

from quantune_mlir.importers.onnx import import_onnx
from quantune_mlir.mlir.bindings import ir, make_context
from tests.support import call, compile_module, load_program


@dataclass(frozen=True)
class OneNode:
    """A model of one node: run-time inputs, constant inputs and absent ones ("") in the operator's order."""

    op_type: str
    inputs: Mapping[str, np.ndarray]
    constants: Mapping[str, npt.ArrayLike] = field(default_factory=dict)
    order: Sequence[str] | None = None
    attributes: Mapping[str, Any] = field(default_factory=dict)
    outputs: Sequence[str] = ("y",)
    opset: int = 17

    def model(self) -> onnx.ModelProto:
        order = list(self.order) if self.order is not None else [*self.inputs, *self.constants]
        node = onnx.helper.make_node(self.op_type, order, self.outputs, name="node", **self.attributes)
        return build_model([node], self.inputs, self.constants, [o for o in self.outputs if o], self.opset)


def recurrence() -> list[onnx.NodeProto]:
    """A round over the rows of x: next = tanh(s), with s = h w + x[i]."""
    return [
        onnx.helper.make_node("Gather", ["x", "i"], ["row"]),
        onnx.helper.make_node("MatMul", ["h", "w"], ["p"], name="product"),
        onnx.helper.make_node("Add", ["p", "row"], ["s"]),
        onnx.helper.make_node("Tanh", ["s"], ["next"]),
    ]


def build_model(
    nodes: Sequence[onnx.NodeProto],
    inputs: Mapping[str, np.ndarray],
    constants: Mapping[str, npt.ArrayLike],
    outputs: Sequence[str],
    opset: int = 17,
) -> onnx.ModelProto:
    """A checked model whose output types are inferred."""
    declared = [
        onnx.helper.make_tensor_value_info(n, onnx.helper.np_dtype_to_tensor_dtype(a.dtype), a.shape)
        for n, a in inputs.items()
    ]
    stored = [onnx.numpy_helper.from_array(np.asarray(a), n) for n, a in constants.items()]
    graph = onnx.helper.make_graph(nodes, "test", declared, [onnx.ValueInfoProto(name=o) for o in outputs], stored)
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", opset)], ir_version=8)
    return onnx.shape_inference.infer_shapes(model, strict_mode=True)


def reference(model: onnx.ModelProto, inputs: Mapping[str, np.ndarray]) -> list[np.ndarray]:
    """ONNX Runtime's results."""
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return [np.asarray(r) for r in session.run(None, dict(inputs))]


def combine(modules: Sequence[ir.Module], context: ir.Context) -> ir.Module:
    """One module with the `@main` of each as `@f0`, `@f1`, ..., which compiles faster than each alone."""
    with context, ir.Location.unknown():
        combined = ir.Module.create()
        for index, module in enumerate(modules):
            clone = next(iter(module.body)).operation.clone(ir.InsertionPoint(combined.body))
            clone.attributes["sym_name"] = ir.StringAttr.get(f"f{index}")
    return combined


def assert_like_onnxruntime(cases: Mapping[str, OneNode], *, rtol: float = 1e-4, atol: float = 1e-5) -> None:
    """Every case, imported and compiled together, gives ONNX Runtime's results."""
    context = make_context()
    models = {name: case.model() for name, case in cases.items()}
    modules = [import_onnx(model, context=context) for model in models.values()]
    program = load_program(compile_module(combine(modules, context)))
    for index, (name, case) in enumerate(cases.items()):
        got = call(program, f"f{index}", tuple(case.inputs.values()))
        wanted = reference(models[name], case.inputs)
        for g, w in zip(got, wanted, strict=True):
            assert g.shape == w.shape, name
            np.testing.assert_allclose(g.astype(w.dtype), w, rtol=rtol, atol=atol, err_msg=name)
