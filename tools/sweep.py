"""Quantizes many networks on a dask cluster, a network a task, and prints a table of what came of each.

    python -m tools.sweep --scheduler tcp://HOST:8786 MODEL.onnx=SAMPLES.npz ... [--zoo] [--json FILE]

Workers need this package; models and samples are sent to them. With --zoo, the networks of the model zoo as well. One
large network with many samples is better given to `quantune quantize --scheduler`, which shares out the samples.
"""

from __future__ import annotations

import argparse
import importlib
import json
import tempfile
import time
import warnings
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quantune_mlir.errors import QuantuneError
from quantune_mlir.model import Model
from quantune_mlir.samples.sample_set import SampleSet
from quantune_mlir.workflow.quantization import quantize
from tools.markdown import number, table
from tools.zoo import Zoo

SAMPLES = 100
HEAD = ("network", "layers", "in fp32", "worst SQNR, dB", "program, KiB", "seconds", "")


@dataclass(frozen=True)
class Outcome:
    """What came of one network; `error` alone if nothing did.

    Attributes:
        network: its name.
        layers: how many there are.
        fp32: how many of those that decide stay in fp32.
        sqnr_db: measured at the worst part of the outputs.
        bytes: of the program.
        seconds: that it took on its worker.
        error: why it was refused.
    """

    network: str
    layers: int = 0
    fp32: int = 0
    sqnr_db: float | None = None
    bytes: int = 0
    seconds: float = 0.0
    error: str = ""


def outcome(network: str, file: str, model: bytes, samples: Mapping[str, NDArray[Any]]) -> Outcome:
    """Quantize one network; what a worker does."""
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / file
        path.write_bytes(model)
        try:
            loaded = Model.load(path, samples=samples)
            made = quantize(loaded, SampleSet.open(samples, loaded.inputs, SAMPLES))
        except QuantuneError as error:
            return Outcome(network, error=error.what.splitlines()[0])
    verified = made.verification
    return Outcome(
        network,
        len(made.records),
        sum(record.layer.decides and record.precision == "fp32" for record in made.records),
        min(part.noise.sqnr_db for part in verified.parts) if verified and verified.parts else None,
        len(made.compile()),
        time.perf_counter() - start,
    )


def sweep(scheduler: str, networks: Mapping[str, tuple[Path, Mapping[str, NDArray[Any]]]]) -> list[Outcome]:
    """What came of each network, in their order. What a worker had when it died is done again by another."""
    distributed: Any = importlib.import_module("distributed")
    # Samples go with the task: what is scattered is gone with the worker that holds it.
    warnings.filterwarnings("ignore", message="Sending large graph")
    with distributed.Client(scheduler, set_as_default=False) as client:
        waiting = [
            client.submit(outcome, name, path.name, path.read_bytes(), samples, pure=False)
            for name, (path, samples) in networks.items()
        ]
        return client.gather(waiting)


def cells(found: Outcome) -> list[str]:
    """A row of the table."""
    if found.error:
        return [found.network, *[""] * 5, found.error]
    counts = str(found.layers), str(found.fp32), number(found.sqnr_db, 1)
    return [found.network, *counts, f"{found.bytes / 1024:.0f}", f"{found.seconds:.0f}", ""]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("networks", nargs="*", metavar="MODEL=SAMPLES.npz")
    parser.add_argument("--scheduler", required=True, metavar="tcp://HOST:PORT")
    parser.add_argument("--zoo", action="store_true", help="the networks of the model zoo as well")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the table's numbers")
    arguments = parser.parse_args()
    networks: dict[str, tuple[Path, Mapping[str, NDArray[Any]]]] = {}
    for pair in arguments.networks:
        model, _, data = pair.rpartition("=")
        with np.load(data) as arrays:
            networks[Path(model).stem] = Path(model), dict(arrays)
    if arguments.zoo:
        zoo = Zoo.find()
        networks |= {name: (zoo.model(name), zoo.samples(name, "calib", SAMPLES)) for name in zoo.names}
    found = sweep(arguments.scheduler, networks)
    if arguments.json:
        arguments.json.write_text(json.dumps([asdict(each) for each in found], indent=1) + "\n")
    print(table(HEAD, map(cells, found)))


if __name__ == "__main__":
    main()
