"""How the analysis grows with the number of layers, on synthetic networks.

    python -m tools.linearity [--layers 10,30,100,300,1000] [--samples 100] [--json FILE] [--markdown FILE]

The networks are residual blocks of two 3x3 convolutions of 16 channels on 8x8 pixels, with random weights; each is
analyzed and planned in a process of its own. Times are seconds a layer (convolutions and sums), memory is the most that
the process had resident beyond Python and its modules.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

import quantune_mlir as qt
from quantune_mlir.workflow.inference_runs import analyze
from quantune_mlir.workflow.options import DEFAULTS
from quantune_mlir.workflow.policy import DEFAULT_POLICY
from quantune_mlir.workflow.progress import SILENT, Stopwatch
from quantune_mlir.workflow.quantization import find_costs
from tools.markdown import table
from tools.peak_rss import peak_kib

CHANNELS: Final = 16
SIZE: Final = 8
LAYERS_PER_BLOCK: Final = 3
SAMPLES: Final = 100
COMPILING: Final = ("compile_fp32_run", "compile_int8_run")
RUNNING: Final = ("run_fp32", "run_int8")
PLANNING: Final = ("assign_parameters", "model_costs", "plan")


@dataclass(frozen=True)
class Row:
    """One network: seconds of both runs, of compiling them, and of the plan with its costs."""

    layers: int
    import_s: float
    compile_s: float
    run_s: float
    plan_s: float
    peak_kib: int


def synthetic_network(layers: int) -> onnx.ModelProto:
    """A network of about so many layers: convolution, ReLU, convolution, sum, ReLU, again and again."""
    rng = np.random.default_rng(layers)
    nodes: list[onnx.NodeProto] = []
    weights: list[TensorProto] = []

    def convolution(source: str, name: str, gain: float) -> str:
        spread = gain * np.sqrt(2 / (9 * CHANNELS))
        kernel = rng.normal(0, spread, (CHANNELS, CHANNELS, 3, 3)).astype(np.float32)
        weights.append(numpy_helper.from_array(kernel, f"{name}.weight"))
        nodes.append(helper.make_node("Conv", [source, f"{name}.weight"], [name], name=name, pads=[1, 1, 1, 1]))
        return name

    def relu(source: str, name: str) -> str:
        nodes.append(helper.make_node("Relu", [source], [name], name=name))
        return name

    value = "input"
    for block in range(max(1, layers // LAYERS_PER_BLOCK)):
        inner = relu(convolution(value, f"block{block}.first", 1.0), f"block{block}.relu")
        branch = convolution(inner, f"block{block}.second", 0.3)
        nodes.append(helper.make_node("Add", [value, branch], [f"block{block}.add"], name=f"block{block}.add"))
        value = relu(f"block{block}.add", f"block{block}.out")
    shape = [1, CHANNELS, SIZE, SIZE]
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name in ("input", value)]
    graph = helper.make_graph(nodes, "synthetic", ends[:1], ends[1:], weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def measure(layers: int, samples: int) -> Row:
    """Analyze and plan a network in this process."""
    watch = Stopwatch(SILENT)
    before = peak_kib()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "synthetic.onnx"
        onnx.save(synthetic_network(layers), path)
        with watch.stage("import", "import"):
            model = qt.Model.load(path)
            found = len([layer for layer in model.layers if layer.decides])
    data = np.random.default_rng(0).standard_normal((samples, CHANNELS, SIZE, SIZE)).astype(np.float32)
    calibration = qt.SampleSet.open({"input": data}, model.inputs)
    analyzed = analyze(model, calibration, DEFAULTS, watch)
    model, sensitivity = analyzed.model, analyzed.sensitivity
    costs = find_costs(model, analyzed.rewriter, DEFAULT_POLICY, watch)
    with watch.stage("plan", "plan"):
        DEFAULT_POLICY.plan(sensitivity, model, costs)
    seconds = watch.seconds
    return Row(
        layers=found,
        import_s=seconds["import"],
        compile_s=sum(seconds[stage] for stage in COMPILING),
        run_s=sum(seconds[stage] for stage in RUNNING),
        plan_s=sum(seconds[stage] for stage in PLANNING),
        peak_kib=peak_kib() - before,
    )


def markdown(rows: Sequence[Row]) -> str:
    """The rows as a table, by layer."""
    head = ["layers", "import", "compile both runs", "both runs", "costs and plan", "memory"]
    body: list[list[str]] = []
    for row in rows:
        times = (row.import_s, row.compile_s, row.run_s, row.plan_s)
        cells = [f"{1e3 * seconds / row.layers:.2f} ms" for seconds in times]
        body.append([str(row.layers), *cells, f"{row.peak_kib / row.layers:.0f} KiB"])
    return table(head, body) + "\n"


def main(arguments: Sequence[str]) -> int:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--layers", default="10,30,100,300,1000")
    parser.add_argument("--samples", type=int, default=SAMPLES)
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--markdown", type=Path)
    options: Any = parser.parse_args(arguments)
    if options.one is not None:
        print(json.dumps(asdict(measure(options.one, options.samples))))
        return 0
    rows: list[Row] = []
    for layers in map(int, options.layers.split(",")):
        command = [sys.executable, "-m", "tools.linearity", "--one", str(layers), "--samples", str(options.samples)]
        done = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True)
        rows.append(Row(**json.loads(done.stdout)))
        print(markdown(rows[-1:]).splitlines()[-1], file=sys.stderr, flush=True)
    print(markdown(rows))
    if options.json:
        options.json.write_text(json.dumps([asdict(row) for row in rows], indent=1) + "\n", encoding="utf-8")
    if options.markdown:
        options.markdown.write_text(markdown(rows), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
