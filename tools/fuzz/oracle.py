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
_SMALL: Final = 1e-4
"""Results are not compared more closely than if they were as large: what is left of numbers around 1 that cancel."""
_LARGEST_FP16: Final = 65504.0
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
    if any(dtype == "f16" for _, dtype in arguments) and _leaves_fp16(path):
        raise NoAnswer("ONNX Runtime has infinity for an attribute that we compute with")
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
    masks = _holds_infinities(module)
    for name, got, expected in zip(session.get_outputs(), evaluated(module, inputs), wanted, strict=True):
        try:
            require_near(got, np.asarray(expected), masks=masks)
        except AssertionError as error:
            raise Disagreement(f"{name.name}: {error}") from error


def _leaves_fp16(path: Path) -> bool:
    """Whether an attribute is larger than any number of 16 bits."""
    nodes = onnx.load(path, load_external_data=False).graph.node
    return any(abs(attribute.f) > _LARGEST_FP16 for node in nodes for attribute in node.attribute)


def _holds_infinities(module: ir.Module) -> bool:
    """Whether an infinity is among the constants, as in masks of attention."""
    constants = (constant_value(op.operation.results[0]) for op in entry_block(main_function(module)) if op.results)
    return any(array is not None and array.dtype.kind == "f" and _is_infinite(array).any() for array in constants)


def require_near(got: Array, wanted: Array, *, masks: bool = False) -> None:
    """Equal up to the rounding of fp32; what overflows on the way may differ, integers that saturate may not.

    The least integer is what a processor makes of a number that none stands for, as of 0 to the power of -1.
    With `masks`, what is not a number in ONNX Runtime may be anything: a softmax of what is masked throughout.
    """
    assert got.shape == wanted.shape, f"shape {got.shape}, not {wanted.shape}"
    assert got.dtype.kind in (wanted.dtype.kind, "f" if wanted.dtype.kind == "f" else "i"), f"type {got.dtype}"
    if wanted.dtype.kind != "f":
        wrong = got.astype(wanted.dtype) != wanted
        if wanted.dtype.kind == "i":
            wrong &= wanted != np.iinfo(wanted.dtype).min
        assert not wrong.any(), f"{wrong.sum()} of {wrong.size} integers differ"
        return
    a, b = (_with_infinities(array.astype(np.float64)) for array in (got, wanted))
    known = np.isfinite(a) & np.isfinite(b)
    if masks:
        a = np.where(np.isnan(b), np.nan, a)
    assert (np.isnan(a) == np.isnan(b)).all() and (a == b)[~known & ~np.isnan(a)].all(), "other infinities"
    scale = np.abs(b[known]).max(initial=_SMALL)
    error = np.abs(a[known] - b[known]).max(initial=0.0)
    assert error <= _RELATIVE * scale, f"{error} of {scale}"


def _with_infinities(array: Array) -> Array:
    """Numbers beyond all others stand for infinity: masks hold them in its place."""
    return np.where(_is_infinite(array), np.copysign(np.inf, array), array)


def _is_infinite(array: Array) -> NDArray[np.bool_]:
    return np.abs(array) > _INFINITE


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
