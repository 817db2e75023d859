"""Evaluates nodes whose inputs are all constants, with ONNX's own reference implementation."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx

from quantune_mlir.importers.onnx.bodies import bodies
from quantune_mlir.importers.onnx.errors import Unsupported
from quantune_mlir.importers.onnx.half import computed_array
from quantune_mlir.importers.onnx.tensor import Tensor

_RANDOM = {"RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike", "Multinomial", "Bernoulli"}


def can_fold(proto: onnx.NodeProto, inputs: Sequence[Tensor | None]) -> bool:
    """Whether the results of a node are known at import."""
    if proto.op_type in _RANDOM or any(bodies(proto)):
        return False
    return all(t is None or t.array is not None for t in inputs)


def fold(proto: onnx.NodeProto, inputs: Sequence[Tensor | None], opset: int) -> list[Tensor]:
    """The results of a node of constants.

    Raises:
        Unsupported: the reference implementation cannot evaluate it.
    """
    from onnx.reference import ReferenceEvaluator  # 12 MiB, a tenth of a second, and few models need it

    model = onnx.helper.make_model(
        onnx.helper.make_graph([proto], "fold", [], []),
        opset_imports=[onnx.helper.make_opsetid("", opset)],
        ir_version=onnx.IR_VERSION,
    )
    feeds = {name: t.array for name, t in zip(proto.input, inputs, strict=True) if name and t is not None}
    names = [name for name in proto.output if name]
    del model.graph.output[:]
    model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names)
    model.graph.input.extend(onnx.ValueInfoProto(name=name) for name in feeds)
    try:
        with np.errstate(all="ignore"):
            results = ReferenceEvaluator(model).run(names, feeds)
    except Exception as error:  # the reference implementation raises whatever NumPy does
        raise Unsupported(f"its constant inputs cannot be evaluated: {error}") from error
    by_name = dict(zip(names, results, strict=True))
    if not all(isinstance(r, np.ndarray | np.generic) for r in results):
        raise Unsupported("it yields a sequence or an optional")
    return [
        Tensor.constant(computed_array(np.asarray(by_name[n]))) if n else Tensor.constant(np.zeros(()))
        for n in proto.output
    ]
