"""Are results those of ONNX Runtime? Ours are computed op by op, as the imported TOSA says, in NumPy."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray

from quantune_mlir.importers.onnx import import_onnx
from quantune_mlir.mlir.bindings import ir
from quantune_mlir.mlir.constants import constant_value
from quantune_mlir.mlir.function import entry_block, main_function
from quantune_mlir.mlir.tosa.evaluate import evaluate
from quantune_mlir.pipeline.driver import run_named_pipeline
from tests.unit.integer.reference import evaluate_op
from tools.fuzz.outcome import Disagreement

_RELATIVE: Final = 2e-3
_MOST_ELEMENTS: Final = 1 << 20
_INFINITE: Final = 1e36
_VALUES: Final = 3
_WINDOWS: Final = frozenset(
    f"tosa.{name}"
    for name in ("conv2d", "depthwise_conv2d", "transpose_conv2d", "matmul", "max_pool2d", "avg_pool2d", "resize")
)

Array = NDArray[Any]


class NoAnswer(Exception):
    """ONNX Runtime refuses the model, or there is no NumPy form of one of our ops."""


def require_agreement(path: Path) -> None:
    """Raises Disagreement if a model that was imported computes something else than ONNX Runtime."""
    module = import_onnx(path)
    with module.context:
        run_named_pipeline(module, "simplify")
    arguments = [_shape_and_type(a.type) for a in entry_block(main_function(module)).arguments]
    session = _session(path)
    rng = np.random.default_rng(len(path.read_bytes()))
    inputs = [_drawn(shape, dtype, rng) for shape, dtype in arguments]
    names = [given.name for given in session.get_inputs()]
    if len(names) != len(inputs):
        raise NoAnswer("another number of inputs")
    try:
        wanted = session.run(None, dict(zip(names, inputs, strict=True)))
    except Exception as error:
        raise NoAnswer(str(error)) from error
    for name, got, expected in zip(session.get_outputs(), evaluated(module, inputs), wanted, strict=True):
        try:
            require_near(got, np.asarray(expected))
        except AssertionError as error:
            raise Disagreement(f"{name.name}: {error}") from error


def require_near(got: Array, wanted: Array) -> None:
    """Equal up to the rounding of fp32; what overflows on the way may differ, integers that saturate may not."""
    assert got.shape == wanted.shape, f"shape {got.shape}, not {wanted.shape}"
    assert got.dtype.kind in (wanted.dtype.kind, "f" if wanted.dtype.kind == "f" else "i"), f"type {got.dtype}"
    if wanted.dtype.kind != "f":
        wrong = got.astype(wanted.dtype) != wanted
        assert not wrong.any(), f"{wrong.sum()} of {wrong.size} integers differ"
        return
    a, b = (_with_infinities(array.astype(np.float64)) for array in (got, wanted))
    known = np.isfinite(a) & np.isfinite(b)
    assert (np.isnan(a) == np.isnan(b)).all() and (a == b)[~known & ~np.isnan(a)].all(), "other infinities"
    scale = np.abs(b[known]).max(initial=1e-6)
    error = np.abs(a[known] - b[known]).max(initial=0.0)
    assert error <= _RELATIVE * scale, f"{error} of {scale}"


def _with_infinities(array: Array) -> Array:
    """Numbers beyond all others stand for infinity: masks hold them in its place."""
    return np.where(np.abs(array) > _INFINITE, np.copysign(np.inf, array), array)


def _session(path: Path) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 4
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    try:
        model = onnx.load(path, load_external_data=False)
        model.ir_version = min(model.ir_version, 10)
        return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    except Exception as error:
        raise NoAnswer(str(error)) from error


def _shape_and_type(kind: ir.Type) -> tuple[list[int], str]:
    ranked = ir.RankedTensorType(kind)
    return list(ranked.shape), str(ranked.element_type)


def _drawn(shape: Sequence[int], dtype: str, rng: np.random.Generator) -> Array:
    if np.prod(shape, dtype=np.float64) > _MOST_ELEMENTS:
        raise NoAnswer("too large")
    if dtype == "i1":
        return rng.random(shape) < 0.5
    if dtype.startswith("i"):
        return rng.integers(0, _VALUES, shape).astype(f"int{dtype[1:]}")
    return rng.standard_normal(shape).astype({"f16": np.float16, "f32": np.float32}[dtype])


def evaluated(module: ir.Module, inputs: Sequence[Array]) -> list[Array]:
    """The results of @main, op by op. Raises NoAnswer if an op has no NumPy form."""
    block = entry_block(main_function(module))
    values: dict[ir.Value, Array] = dict(zip(block.arguments, inputs, strict=True))
    for view in block:
        op = view.operation
        if op.name == "func.return":
            return [_known(value, values) for value in op.operands]
        if constant_value(op.results[0]) is None and not str(op.results[0].type).startswith("!tosa"):
            operands = [_known(value, values) for value in op.operands]
            result = _window(op, operands) if op.name in _WINDOWS else evaluate(op, operands)
            if result is None:
                raise NoAnswer(op.name)
            values[op.results[0]] = result
    raise AssertionError("there is no return")


def _window(op: ir.Operation, operands: list[Array]) -> Array | None:
    interpolates = op.name == "tosa.resize" and "NEAREST" not in str(op.attributes["mode"])
    return None if interpolates else evaluate_op(op, operands)


def _known(value: ir.Value, values: dict[ir.Value, Array]) -> Array:
    if value in values:
        return values[value]
    found = constant_value(value)
    if found is None:
        raise NoAnswer(str(value.type))
    return found
