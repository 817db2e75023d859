"""Random ONNX graphs of 1 to 12 nodes: is what is imported what ONNX Runtime computes?

python -m tools.fuzz.graphs --count 100 [--seed N] [--json FILE] [--failures DIR]. A graph grows node by node; what ONNX
Runtime refuses of it is dropped, so every graph that is tried is valid. It is imported and simplified, and evaluated in
NumPy, op by op; by IREE, where an op has no NumPy form.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from pathlib import Path
from typing import Final

import numpy as np
import onnx

from quantune_mlir.errors import QuantuneError, UnsupportedOperatorsError
from quantune_mlir.importers.onnx import import_onnx
from quantune_mlir.mlir.bindings import ir
from quantune_mlir.pipeline.driver import run_named_pipeline
from tests.support import run_module
from tools.cpu_seconds import cpu_seconds
from tools.fuzz.counts import SECONDS_TAKEN, add, read, write
from tools.fuzz.growing import Array, Growing, session_of
from tools.fuzz.oracle import NoAnswer, evaluated, require_near
from tools.fuzz.proposals import PROPOSALS

_MOST_NODES: Final = 12
ROW: Final = "graphs of 1 to 12 nodes"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tools.fuzz.graphs")
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--failures", type=Path, default=Path("fuzz-failures"))
    arguments = parser.parse_args()
    row: Counter[str] = Counter()
    start = cpu_seconds()
    for number in range(arguments.count):
        grown = grow(np.random.default_rng([arguments.seed, number]))
        try:
            problem = problem_of(grown)
        except UnsupportedOperatorsError as refusal:
            row["refused"] += 1
            print("\n".join(sorted({f"refused: {node.op_type}: {node.reason}" for node in refusal.nodes})))
            continue
        row["tried"] += 1
        row["nodes"] += grown.size
        if problem is not None:
            row["failed"] += 1
            arguments.failures.mkdir(parents=True, exist_ok=True)
            path = arguments.failures / f"graph-{arguments.seed}-{number}.onnx"
            onnx.save(grown.model(), path)
            print(f"{path}: {problem}", flush=True)
        if arguments.json and (number % 50 == 49 or number == arguments.count - 1):
            now = cpu_seconds()
            write(arguments.json, add(read(arguments.json), {ROW: {**row, SECONDS_TAKEN: round(now - start, 2)}}))
            row, start = Counter(), now
    sys.exit(bool(row["failed"]))


def grow(rng: np.random.Generator) -> Growing:
    """A valid graph; one of four has constants only, which are folded."""
    wanted = int(rng.integers(1, _MOST_NODES + 1))
    grown = Growing(rng, only_constants=bool(rng.random() < 0.25))
    while grown.size < wanted:
        PROPOSALS[int(rng.integers(len(PROPOSALS)))](grown)
    if not grown.feeds():  # A model has an input.
        grown.only_constants = False
        grown.add("Identity", [grown.normal(1, 2, constant=False)], rounds=False)
    return grown


def problem_of(grown: Growing) -> str | None:
    """What is wrong with the import of a graph, if anything. Raises UnsupportedOperatorsError if a node is refused."""
    model, feeds = grown.model(), grown.feeds()
    names = [value.name for value in model.graph.input]
    wanted = session_of(model).run(None, feeds)
    try:
        module = import_onnx(model)
        with module.context:
            run_named_pipeline(module, "simplify")
        results = _results(module, [feeds[name] for name in names])
    except UnsupportedOperatorsError:
        raise
    except QuantuneError as error:
        return str(error)
    for name, got, expected in zip(model.graph.output, results, wanted, strict=True):
        try:
            require_near(got, np.asarray(expected))
        except AssertionError as error:
            return f"{name.name}: {error}"
    return None


def _results(module: ir.Module, inputs: list[Array]) -> list[Array]:
    try:
        return evaluated(module, inputs)
    except NoAnswer:
        return run_module(module, *inputs)


if __name__ == "__main__":
    main()
