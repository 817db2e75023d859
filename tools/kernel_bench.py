"""Measures each convolution kernel against what the core can do when all operands are in registers.

    python -m tools.kernel_bench [--isa avx512vnni] [--precision int8] [--match REGEX] [--passes N] [--json FILE]
                                 [--markdown FILE]

Each layer is a program of its own, timed in turns with a program that does nothing, whose time, that of a call, is
taken off, and with the peak, a loop of the instruction the kernel is made of (tools/isa_peak.py): the core's frequency
changes with what it and its neighbours do. Neighbours on a shared machine slow the caches for seconds: several passes
over all layers, of which each layer's quickest counts, against the quickest peak beside it, see past that.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from math import log2
from pathlib import Path
from typing import Any, Final

import numpy as np
from rich.console import Console
from rich.table import Table

from quantune_mlir.backend.benchmark import measure, pinned, repeated
from quantune_mlir.backend.compilation import with_kernels
from quantune_mlir.backend.compiler import compile_module
from quantune_mlir.backend.program import Program
from quantune_mlir.hardware.targets import Target, load_target
from quantune_mlir.mlir.bindings import func, ir, make_context
from quantune_mlir.mlir.constants import constant, element_type, tensor_type
from quantune_mlir.mlir.edit import shape_of
from quantune_mlir.mlir.tosa import build
from tools.isa_peak import peak_call
from tools.kernel_shapes import LAYERS, Layer, Precision
from tools.markdown import table as markdown_table

PEAKS: Final[dict[str, dict[Precision, str]]] = {
    "avx512vnni": {"int8": "vpdpbusd_zmm", "fp32": "fma_zmm"},
    "avxvnni": {"int8": "vpdpbusd_ymm", "fp32": "fma_ymm"},
    "avx2": {"int8": "vpmaddwd_ymm", "fp32": "fma_ymm"},
}
"""The instruction that bounds an instruction set's kernels."""


@dataclass(frozen=True)
class Measured:
    """A kernel's speed."""

    network: str
    layer: str
    precision: Precision
    ms: float
    gmacs: float
    """Billions of multiply-accumulates a second."""
    of_peak: float
    bytes_moved: int
    is_large: bool


def layer_module(layer: Layer, precision: Precision) -> ir.Module:
    """The layer as TOSA: a convolution, requantized to int8 or clamped like ReLU6; mostly small random weights."""
    rng = np.random.default_rng(0)
    stored, sums = (np.int8, np.int32) if precision == "int8" else (np.float32, np.float32)
    filters = 1 if layer.depthwise else layer.channels
    weights = rng.normal(0, 32, (layer.filters, layer.kernel, layer.kernel, filters)).round().clip(-127, 127)
    weights = weights.astype(stored)
    if layer.depthwise:
        weights = weights.transpose(1, 2, 0, 3)
    pad = layer.kernel // 2
    # The border that no output reads is cut off, as TOSA asks for.
    size = (layer.out - 1) * layer.stride + layer.kernel - 2 * pad
    output = (1, layer.out, layer.out, layer.filters)
    module = ir.Module.create(ir.Location.unknown())
    source, result = tensor_type((1, size, size, layer.channels), stored), tensor_type(output, stored)
    with ir.InsertionPoint(module.body), ir.Location.unknown():
        main = func.FuncOp("main", ([source], [result]))
        with ir.InsertionPoint(main.add_entry_block()):
            name = "depthwise_conv2d" if layer.depthwise else "conv2d"
            bias = rng.integers(-1000, 1000, layer.filters).astype(sums)
            zero_points = constant(np.full(1, -5 if precision == "int8" else 0, stored)), constant(np.zeros(1, stored))
            window = build.integers(pad=[pad] * 4, stride=[layer.stride] * 2, dilation=[1, 1])
            operands = [main.arguments[0], constant(weights), constant(bias)]
            summed = element_type(sums)
            value = build.convolution(name, operands, zero_points, output, summed, summed, window)
            func.ReturnOp([_ended(value, rng) if precision == "int8" else build.clamp(value, 0.0, 6.0)])
    return module


def _ended(value: ir.Value, rng: np.random.Generator) -> ir.Value:
    """Requantized in floats, one scale a channel."""
    scales = ((rng.random((1, 1, 1, shape_of(value)[-1])) + 0.5) * 2e-4).astype(np.float32)
    scaled = build.mul(build.cast(value, element_type(np.float32)), constant(scales))
    moved = build.elementwise("add", scaled, constant(np.full((1, 1, 1, 1), -3, np.float32)))
    return build.cast(moved, element_type(np.int8))


def _program(module: ir.Module, target: Target) -> Program:
    return Program(compile_module(with_kernels(module, target), target))


def _nothing(target: Target) -> Program:
    kind = tensor_type((16,), np.float32)
    module = ir.Module.create(ir.Location.unknown())
    with ir.InsertionPoint(module.body), ir.Location.unknown():
        main = func.FuncOp("main", ([kind], [kind]))
        with ir.InsertionPoint(main.add_entry_block()):
            func.ReturnOp([build.clamp(main.arguments[0], 0.0, 6.0)])
    return _program(module, target)


def measure_layers(
    layers: Sequence[Layer], precision: Precision, isa: str, seconds: float, passes: int
) -> list[Measured]:
    """The speed of each layer's kernel on one CPU.

    Args:
        layers: what to measure.
        precision: of inputs and weights.
        isa: one of PEAKS that this machine has.
        seconds: how long to measure each, in each pass.
        passes: how often to measure all of them.
    """
    target = load_target("host").model_copy(update={"isa": isa})
    stored = np.int8 if precision == "int8" else np.float32
    with pinned(1), make_context(), ir.Location.unknown():
        empty = _nothing(target).bound(np.zeros(16, np.float32))
        peak, work = peak_call(PEAKS[isa][precision])
        calls = [_layer_call(layer_module(layer, precision), target, stored) for layer in layers]
        found = [[_seconds_and_peak(call, empty, peak, seconds) for call in calls] for _ in range(passes)]
    results: list[Measured] = []
    for layer, turns in zip(layers, zip(*found, strict=True), strict=True):
        time, peak_time = (min(times) for times in zip(*turns, strict=True))
        gmacs, peak_gmacs = layer.macs / time / 1e9, work / peak_time / 1e9
        moved = layer.bytes_moved(precision)
        results.append(
            Measured(layer.network, layer.name, precision, time * 1e3, gmacs, gmacs / peak_gmacs, moved, layer.is_large)
        )
    return results


def _layer_call(module: ir.Module, target: Target, stored: type[np.generic]) -> Callable[[], object]:
    shape = ir.RankedTensorType(module.body.operations[0].type.inputs[0]).shape
    x = np.random.default_rng(1).integers(-128, 128, shape).astype(stored)
    return _program(module, target).bound(x)


def _seconds_and_peak(
    layer: Callable[[], object], empty: Callable[[], object], peak: Callable[[], object], seconds: float
) -> tuple[float, float]:
    """The medians of a layer's time without that of a call, and of the peak's."""
    calls = {"layer": layer, "empty": empty, "peak": peak}
    rounds = measure({name: repeated(call) for name, call in calls.items()}, seconds=seconds)
    medians = {name: float(np.median(times)) for name, times in rounds.items()}
    return medians["layer"] - medians["empty"], medians["peak"]


def geometric_mean(values: Sequence[float]) -> float:
    """The geometric mean of positive numbers."""
    return 2 ** (sum(map(log2, values)) / len(values))


def markdown(results: Sequence[Measured]) -> str:
    """The results as a table, a row for each layer."""
    precisions = list(dict.fromkeys(r.precision for r in results))
    rows: dict[tuple[str, str], dict[str, Measured]] = {}
    for r in results:
        rows.setdefault((r.network, r.layer), {})[r.precision] = r
    columns = ["network", "layer", *(c for p in precisions for c in (f"{p} ms", "GMAC/s", "of peak"))]
    lines = [[*names, *(c for p in precisions for c in _numbers(found[p]))] for names, found in rows.items()]
    return markdown_table(columns, lines) + "\n"


def _numbers(r: Measured) -> list[str]:
    return [f"{r.ms:.4f}", f"{r.gmacs:.0f}", f"{r.of_peak:.0%}"]


def _print(results: Sequence[Measured]) -> None:
    table = Table("network", "layer", "precision", *("ms", "GMAC/s", "of peak", "MB moved"))
    for r in results:
        table.add_row(r.network, r.layer, r.precision, *_numbers(r), f"{r.bytes_moved / 1e6:.2f}")
    console = Console()
    console.print(table)
    for precision in dict.fromkeys(r.precision for r in results):
        large = [r.of_peak for r in results if r.is_large and r.precision == precision]
        if large:
            console.print(
                f"{precision}, 1x1 and 3x3 of at least 64 channels: {geometric_mean(large):.0%} of peak in geometric "
                f"mean, {min(large):.0%} at least"
            )


def main(arguments: Sequence[str]) -> int:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--isa", choices=list(PEAKS), default="avx512vnni")
    parser.add_argument("--precision", choices=["int8", "fp32"], action="append")
    parser.add_argument("--match", default="", help="only layers in whose network and name this is found")
    parser.add_argument("--seconds", type=float, default=0.5, help="for each layer, in each pass")
    parser.add_argument("--passes", type=int, default=1, help="over all layers; of each the quickest counts")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--markdown", type=Path)
    options: Any = parser.parse_args(arguments)
    layers = [layer for layer in LAYERS if re.search(options.match, f"{layer.network} {layer.name}")]
    results: list[Measured] = []
    precisions: list[Precision] = options.precision or ["int8", "fp32"]
    for precision in precisions:
        results += measure_layers(layers, precision, options.isa, options.seconds, options.passes)
    _print(results)
    if options.json:
        options.json.write_text(json.dumps([asdict(r) for r in results], indent=1) + "\n", encoding="utf-8")
    if options.markdown:
        options.markdown.write_text(markdown(results), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
