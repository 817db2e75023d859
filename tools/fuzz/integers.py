"""Integer forms of random layers, bit for bit against Arm's TOSA reference model.

python -m tools.fuzz.integers --count 100 [--seed N] [--json FILE]. Each case is a random layer of each kind that has an
integer form, quantized as the rewrite does it, in integer mode. Many cases make one module, which IREE compiles once,
as it is or with this project's kernels by turns, and which the reference model runs once.
"""

from __future__ import annotations

import argparse
import sys
from collections import ChainMap, Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnx
from numpy.typing import NDArray

from quantune_mlir.errors import CompileError, QuantuneError
from quantune_mlir.hardware.host_isa import host_isa
from quantune_mlir.integer.integer_options import IntegerOptions
from quantune_mlir.mlir.bindings import func, ir, make_context
from quantune_mlir.numerics.schemes import Scheme
from quantune_mlir.pipeline.driver import run_named_pipeline
from tests.conformance.integer_part import IntegerPart, integer_part
from tests.onnx_models import build_model, combine
from tests.support import call, compile_module, load_program
from tests.unit.integer.networks import CalibratedNetwork
from tools.cpu_seconds import cpu_seconds
from tools.fuzz.counts import SECONDS_TAKEN, add, read, write
from tools.tosa_reference import run_reference

_TOGETHER: Final = 25
ROW: Final = "integer forms"

Array = NDArray[Any]


@dataclass(frozen=True)
class Layer:
    """A node and perhaps a clamp behind it."""

    op: str
    inputs: Mapping[str, Array]
    constants: Mapping[str, Array]
    attributes: Mapping[str, Any]

    def model(self, rng: np.random.Generator) -> onnx.ModelProto:
        order = [*self.inputs, *self.constants]
        nodes = [onnx.helper.make_node(self.op, order, ["made"], name="node", **self.attributes)]
        if self.op in _CLAMPED and rng.random() < 0.4:
            nodes.append(onnx.helper.make_node("Relu", ["made"], ["then"], name="then"))
        last = nodes[-1].output[0]
        nodes.append(onnx.helper.make_node("Flatten", [last], ["flat"], name="flat"))  # read in int8
        return build_model(nodes, self.inputs, self.constants, ["flat"])


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tools.fuzz.integers")
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    failed = 0
    for first in range(0, arguments.count, _TOGETHER):
        start = cpu_seconds()
        numbers = range(first, min(first + _TOGETHER, arguments.count))
        problems = problems_of(arguments.seed, numbers, kernels=first % 50 == 0)
        row = Counter({"tried": len(numbers), "failed": len(problems)})
        failed += len(problems)
        for number, problem in problems.items():
            print(f"seed {arguments.seed}, case {number}: {problem}", flush=True)
        if arguments.json:
            taken = round(cpu_seconds() - start, 2)
            write(arguments.json, add(read(arguments.json), {ROW: {**row, SECONDS_TAKEN: taken}}))
    sys.exit(bool(failed))


def problems_of(seed: int, numbers: Sequence[int], *, kernels: bool) -> dict[int, str]:
    """What differs or cannot be compiled, by the number of its case."""
    try:
        return _differences([np.random.default_rng([seed, number]) for number in numbers], numbers, kernels)
    except CompileError as error:
        if len(numbers) == 1:
            return {numbers[0]: str(error)}
        found = [problems_of(seed, [number], kernels=kernels) for number in numbers]
        return dict(ChainMap(*found))


def _differences(generators: list[np.random.Generator], numbers: Sequence[int], kernels: bool) -> dict[int, str]:
    context = make_context()
    parts: list[IntegerPart] = []
    inputs: list[tuple[Array, ...]] = []
    titles: list[str] = []
    for rng in generators:
        layer, options, part = _case(rng, context)
        parts.append(part)
        inputs.append(tuple(layer.inputs.values()))
        titles.append(f"{layer.op} {dict(layer.attributes)} {options}")
    module = combine([part.probed for part in parts], context)
    if kernels:
        run_named_pipeline(module, "kernels", {"isa": host_isa()})
    program = load_program(compile_module(module))
    found: dict[int, str] = {}
    probes = [call(program, f"f{i}", given)[1:] for i, given in enumerate(inputs)]
    expected = _expected(parts, probes)
    for number, title, part, results, wanted in zip(numbers, titles, parts, probes, expected, strict=True):
        exits = results[part.entries :]
        for index, values in zip(part.exit_indices, wanted, strict=True):
            wrong = int((exits[index] != values).sum())
            if wrong:
                found[number] = f"{title}: {wrong} of {values.size} integers differ"
    return found


def _case(rng: np.random.Generator, context: ir.Context) -> tuple[Layer, IntegerOptions, IntegerPart]:
    """A layer that can be imported and quantized: a window that sees nothing but padding cannot."""
    while True:
        layer = _LAYERS[int(rng.integers(len(_LAYERS)))](rng)
        options = IntegerOptions(str(rng.choice(["per-channel", "per-tensor"])), _scheme(rng), "integer")  # type: ignore[arg-type]
        network = CalibratedNetwork(layer.model(rng), layer.inputs, options, context)
        try:
            return layer, options, integer_part(network.quantized(network.in_int8(moves=True)))
        except QuantuneError as refused:
            print(f"refused: {layer.op}: {refused.what}", flush=True)


def _expected(parts: list[IntegerPart], probes: list[list[Array]]) -> list[list[Array]]:
    """What the reference model makes of all integer parts at once."""
    with make_context() as context, ir.Location.unknown():
        modules = [ir.Module.parse(part.alone, context) for part in parts]
        merged = _merged(modules)
    entries = [array for part, found in zip(parts, probes, strict=True) for array in found[: part.entries]]
    results = run_reference(merged, entries)
    split: list[list[Array]] = []
    for part in parts:
        split.append(results[: len(part.exit_indices)])
        results = results[len(part.exit_indices) :]
    return split


def _merged(modules: list[ir.Module]) -> str:
    """One function that does what those of all modules do, one after the other."""
    functions = [next(iter(module.body)).operation for module in modules]
    blocks = [function.regions[0].blocks[0] for function in functions]
    merged = ir.Module.create()
    types = [argument.type for block in blocks for argument in block.arguments]
    with ir.InsertionPoint(merged.body):
        main = func.FuncOp("main", (types, []))
    body = main.add_entry_block()
    arguments = list(body.arguments)
    results: list[ir.Value] = []
    for block in blocks:
        twins = dict(zip(block.arguments, arguments, strict=False))
        arguments = arguments[len(block.arguments) :]
        for view in block:
            op = view.operation
            if op.name == "func.return":
                results += [twins[value] for value in op.operands]
                continue
            twin = op.clone(ir.InsertionPoint(body))
            for place, value in enumerate(op.operands):
                twin.operands[place] = twins[value]
            twins |= dict(zip(op.results, twin.results, strict=True))
    with ir.InsertionPoint(body):
        func.ReturnOp(results)
    kind = ir.FunctionType.get(types, [value.type for value in results])
    main.attributes["function_type"] = ir.TypeAttr.get(kind)
    merged.operation.verify()
    return merged.operation.get_asm(print_generic_op_form=True)


def _scheme(rng: np.random.Generator) -> Scheme:
    return list(Scheme)[int(rng.integers(len(Scheme)))]


def _draw(rng: np.random.Generator, *shape: int) -> Array:
    """Numbers of some scale, often not around 0; now and then all alike, or very small, or very large."""
    kind = rng.random()
    if kind < 0.03:
        return np.full(shape, rng.choice([0.0, 1.0, -3.5]), np.float32)
    scale = 1e-38 if kind < 0.05 else 1e12 if kind < 0.07 else float(np.exp(rng.normal(0, 2)))
    return ((rng.standard_normal(shape) + rng.choice([0, 0, 1, -2])) * scale).astype(np.float32)


def _integers(rng: np.random.Generator, low: int, high: int, count: int) -> list[int]:
    return rng.integers(low, high, count).tolist()


def _conv(rng: np.random.Generator) -> Layer:
    group = int(rng.integers(1, 5))
    inside, outside = (1, int(rng.integers(1, 3))) if rng.random() < 0.3 else _integers(rng, 1, 9, 2)
    kernel, dilations = _integers(rng, 1, 4, 2), _integers(rng, 1, 3, 2)
    size = [(k - 1) * d + 1 + int(rng.integers(0, 8)) for k, d in zip(kernel, dilations, strict=True)]
    constants = {"w": _draw(rng, group * outside, inside, *kernel), "b": _draw(rng, group * outside)}
    attributes = {
        "group": group,
        "strides": _integers(rng, 1, 3, 2),
        "dilations": dilations,
        "pads": _integers(rng, 0, 3, 4),
    }
    return Layer("Conv", {"x": _draw(rng, int(rng.integers(1, 4)), group * inside, *size)}, constants, attributes)


def _transposed(rng: np.random.Generator) -> Layer:
    inside, outside = _integers(rng, 1, 6, 2)
    constants = {"w": _draw(rng, inside, outside, *_integers(rng, 1, 4, 2)), "b": _draw(rng, outside)}
    x = _draw(rng, 1, inside, *_integers(rng, 2, 6, 2))
    return Layer("ConvTranspose", {"x": x}, constants, {"strides": _integers(rng, 1, 3, 2)})


def _dense(rng: np.random.Generator) -> Layer:
    inside = int(rng.choice([1, 3, 17, 64, 300, 2049]))
    outside = int(rng.integers(1, 40))
    constants = {"w": _draw(rng, inside, outside), "b": _draw(rng, outside)}
    return Layer("Gemm", {"x": _draw(rng, int(rng.integers(1, 5)), inside)}, constants, {})


def _product(rng: np.random.Generator) -> Layer:
    n, rows, inner, columns = _integers(rng, 1, 20, 4)
    if rng.random() < 0.4:
        return Layer("MatMul", {"x": _draw(rng, n, rows, inner)}, {"w": _draw(rng, inner, columns)}, {})
    return Layer("MatMul", {"x": _draw(rng, n, rows, inner), "y": _draw(rng, n, inner, columns)}, {}, {})


def _pair(rng: np.random.Generator) -> Layer:
    shape = _integers(rng, 1, 8, int(rng.integers(2, 5)))
    other = [1 if rng.random() < 0.25 else size for size in shape]
    inputs, constants = {"x": _draw(rng, *shape)}, {}
    (constants if rng.random() < 0.3 else inputs)["y"] = _draw(rng, *other)
    return Layer(str(rng.choice(["Add", "Sub", "Mul"])), inputs, constants, {})


def _pool(rng: np.random.Generator) -> Layer:
    kernel = _integers(rng, 1, 4, 2)
    size = [k + int(rng.integers(0, 6)) for k in kernel]
    op = str(rng.choice(["MaxPool", "AveragePool"]))
    pads = [int(rng.integers(0, kernel[i % 2])) for i in range(4)]
    attributes = {"kernel_shape": kernel, "strides": _integers(rng, 1, 3, 2), "pads": pads}
    return Layer(op, {"x": _draw(rng, *_integers(rng, 1, 4, 2), *size)}, {}, attributes)


def _mean(rng: np.random.Generator) -> Layer:
    x = _draw(rng, *_integers(rng, 1, 9, 4))
    if rng.random() < 0.5:
        return Layer("GlobalAveragePool", {"x": x}, {}, {})
    axes = sorted(rng.choice(4, int(rng.integers(1, 4)), replace=False).tolist())
    return Layer("ReduceMean", {"x": x}, {}, {"axes": axes, "keepdims": int(rng.integers(2))})


def _function(rng: np.random.Generator) -> Layer:
    op = str(rng.choice(["Sigmoid", "Tanh", "HardSigmoid", "HardSwish", "LeakyRelu", "Elu", "Abs", "Softplus", "Erf"]))
    return Layer(op, {"x": _draw(rng, *_integers(rng, 1, 9, 3))}, {}, {})


def _move(rng: np.random.Generator) -> Layer:
    x = _draw(rng, *_integers(rng, 2, 6, 4))
    match int(rng.integers(5)):
        case 0:
            return Layer("Concat", {"x": x, "y": _draw(rng, *x.shape)}, {}, {"axis": int(rng.integers(4))})
        case 1:
            return Layer("Pad", {"x": x}, {"p": np.array(_integers(rng, 0, 3, 8))}, {})
        case 2:
            return Layer("Transpose", {"x": x}, {}, {"perm": rng.permutation(4).tolist()})
        case 3:
            return Layer("ReduceMax", {"x": x}, {}, {"axes": [int(rng.integers(4))]})
        case _:
            bounds = np.sort(rng.standard_normal(2)).astype(np.float32)
            return Layer("Clip", {"x": x}, {"low": np.array(bounds[0]), "high": np.array(bounds[1])}, {})


_CLAMPED: Final = frozenset({"Conv", "ConvTranspose", "Gemm", "MatMul", "Add", "Sub", "Mul", "GlobalAveragePool"})
_LAYERS: Final[tuple[Callable[[np.random.Generator], Layer], ...]] = (
    *(_conv, _conv, _conv, _transposed, _dense, _product, _pair, _pair, _pool, _mean, _function, _move),
)


if __name__ == "__main__":
    main()
