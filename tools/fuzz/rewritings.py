"""The same network written otherwise: is the same quantized, to the byte?

python -m tools.fuzz.rewritings [--count N] [--seed N] [--json FILE]. Random networks are quantized as they are, and
with nodes in another order, other names, an Identity put between two nodes, constants in another order: the results of
the int8 programs are the same to the bit. (The texts of the programs are not: they name layers, in the nodes' order.)
The profile of samples in two parts, merged, is that of all to the byte.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnx
from numpy.typing import NDArray

from quantune_mlir.hardware.targets import load_target
from quantune_mlir.model import Model
from quantune_mlir.numerics.formats import INT8
from quantune_mlir.numerics.profile import Profile
from quantune_mlir.planning.plan import PrecisionPlan
from quantune_mlir.samples.sample_set import SampleSet
from quantune_mlir.sensitivity.calibration import Calibrator
from tests.random_network import RandomNetwork
from tests.support import run_module
from tools.cpu_seconds import cpu_seconds
from tools.fuzz.counts import SECONDS_TAKEN, add, read, write

Array = NDArray[Any]
Rewriting = Callable[[onnx.ModelProto, np.random.Generator], None]
_SAMPLES: Final = 6


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tools.fuzz.rewritings")
    parser.add_argument("--count", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    failed = 0
    for number in range(arguments.count):
        start = cpu_seconds()
        outcomes = tried(arguments.seed * 1000 + number)
        taken = round((cpu_seconds() - start) / len(outcomes), 2)
        for name, same in outcomes.items():
            failed += not same
            if not same:
                print(f"seed {arguments.seed * 1000 + number}: {name}: another result", flush=True)
            if arguments.json:
                row = {"tried": 1, "failed": int(not same), SECONDS_TAKEN: taken}
                write(arguments.json, add(read(arguments.json), {name: row}))
    sys.exit(bool(failed))


def tried(seed: int) -> dict[str, bool]:
    """By what was changed, whether the same came out."""
    rng = np.random.default_rng(seed)
    network = RandomNetwork(seed, steps=6).model()
    samples = rng.standard_normal((_SAMPLES, 3, 8, 8)).astype(np.float32)
    with tempfile.TemporaryDirectory() as folder:
        first = _quantized(network, samples, Path(folder))
        found = {
            f"a network with {name}": all(
                np.array_equal(a, b)
                for a, b in zip(first, _quantized(_rewritten(network, change, rng), samples, Path(folder)), strict=True)
            )
            for name, change in _REWRITINGS.items()
        }
        found["samples in two parts"] = _splits(network, samples, Path(folder))
        return found


def _quantized(network: onnx.ModelProto, samples: Array, folder: Path) -> list[Array]:
    """The results of the int8 program."""
    model = _loaded(network, folder)
    profile = _profiled(model, samples)
    repaired = model.after("prepare", profile=profile).after("repair", profile=profile)
    plan = PrecisionPlan(format=1, default=INT8)
    return run_module(repaired.after("rewrite", plan=plan, requantize="integer").module, samples[:1])


def _splits(network: onnx.ModelProto, samples: Array, folder: Path) -> bool:
    model = _loaded(network, folder)
    parts = [_profiled(model, part) for part in (samples[:2], samples[2:])]
    return Profile.merge(parts).to_bytes() == _profiled(model, samples).to_bytes()


def _loaded(network: onnx.ModelProto, folder: Path) -> Model:
    onnx.save(network, folder / "network.onnx")
    return Model.load(folder / "network.onnx")


def _profiled(model: Model, samples: Array) -> Any:
    (spec,) = model.inputs
    return Calibrator(model, load_target("host")).run(SampleSet.open({spec.name: samples}, model.inputs))


def _rewritten(network: onnx.ModelProto, change: Rewriting, rng: np.random.Generator) -> onnx.ModelProto:
    copy = onnx.ModelProto()
    copy.CopyFrom(network)
    change(copy, rng)
    onnx.checker.check_model(copy)
    return copy


def _reorder(model: onnx.ModelProto, rng: np.random.Generator) -> None:
    """Any order in which each value is made before it is read."""
    waiting, ordered = list(model.graph.node), list[onnx.NodeProto]()
    known = {"", *(v.name for v in model.graph.input), *(t.name for t in model.graph.initializer)}
    while waiting:
        ready = [node for node in waiting if known.issuperset(node.input)]
        node = ready[int(rng.integers(len(ready)))]
        waiting.remove(node)
        ordered.append(node)
        known.update(node.output)
    del model.graph.node[:]
    model.graph.node.extend(ordered)


def _rename(model: onnx.ModelProto, rng: np.random.Generator) -> None:
    kept = {value.name for value in (*model.graph.input, *model.graph.output)}
    for node in model.graph.node:
        node.name = f"renamed/{node.name}"
        for names in (node.input, node.output):
            names[:] = [name if name in kept or not name else f"value_{name}" for name in names]
    for tensor in model.graph.initializer:
        tensor.name = f"value_{tensor.name}"


def _pass_on(model: onnx.ModelProto, rng: np.random.Generator) -> None:
    at = int(rng.integers(len(model.graph.node)))
    node = model.graph.node[at]
    model.graph.node.insert(at, onnx.helper.make_node("Identity", [node.input[0]], ["passed"], name="passed"))
    model.graph.node[at + 1].input[0] = "passed"


def _reorder_constants(model: onnx.ModelProto, rng: np.random.Generator) -> None:
    stored = list(model.graph.initializer)
    del model.graph.initializer[:]
    model.graph.initializer.extend(stored[i] for i in rng.permutation(len(stored)))


_REWRITINGS: Final[dict[str, Rewriting]] = {
    "nodes in another order": _reorder,
    "other names": _rename,
    "an Identity more": _pass_on,
    "constants in another order": _reorder_constants,
}


if __name__ == "__main__":
    main()
