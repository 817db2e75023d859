"""Records what quantization makes of the networks of the model zoo, to compare before and after a change of the inside.

    python -m tools.zoo_artifacts record before.json
    python -m tools.zoo_artifacts record after.json
    python -m tools.zoo_artifacts compare before.json after.json

A record holds the SHA-256 of each file that must not change, for each network and granularity of weights, made from a
few calibration samples with default options. `compare` ends with status 1 where any differs or is missing.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import tempfile
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.progress import track

from quantune_mlir.integer.integer_options import Granularity
from quantune_mlir.model import Model
from quantune_mlir.samples.sample_set import SampleSet
from quantune_mlir.workflow.options import QuantizeOptions
from quantune_mlir.workflow.quantization import quantize
from quantune_mlir.workflow.save import save
from tools.names import chosen
from tools.zoo import Zoo

FILES: Final = ("profile.npz", "sensitivity.yaml", "plan.yaml", "fp32.mlir", "mixed.mlir")
GRANULARITIES: Final[tuple[Granularity, ...]] = ("per-channel", "per-tensor")
SAMPLES: Final = 10
TARGET: Final = "x86-64-avx512vnni"
"""Plans weigh costs of a named target, so that records of different machines can be compared."""

Record = dict[str, dict[str, str]]
"""By network and granularity, the digest of each file."""


def record(zoo: Zoo, network: str, granularity: Granularity) -> dict[str, str]:
    """The digests of what one quantization makes."""
    path = zoo.model(network)
    model = Model.load(path)
    samples = SampleSet.open(zoo.samples(network, "calib", SAMPLES), model.inputs)
    quantized = quantize(model, samples, QuantizeOptions(weights=granularity, target=TARGET))
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / "out"
        save(quantized, made, source=path.name)
        return {name: hashlib.sha256((made / name).read_bytes()).hexdigest() for name in FILES}


def differences(before: Record, after: Record) -> list[str]:
    """What is not the same in both, one line each."""
    return [
        f"{case}: {name}"
        for case in sorted({*before, *after})
        for name in FILES
        if (old := before.get(case, {}).get(name)) is None or old != after.get(case, {}).get(name)
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    recording = commands.add_parser("record", help="quantize the networks and write the digests")
    recording.add_argument("json", type=Path)
    recording.add_argument("--networks", default="all", help="names, separated by commas (default: all)")
    comparing = commands.add_parser("compare", help="say what differs between two records")
    comparing.add_argument("before", type=Path)
    comparing.add_argument("after", type=Path)
    arguments = parser.parse_args()
    if arguments.command == "compare":
        found = differences(*(json.loads(path.read_text()) for path in (arguments.before, arguments.after)))
        print("\n".join(found) or "the same")
        sys.exit(bool(found))
    try:
        zoo = Zoo.find()
        networks = chosen(arguments.networks, zoo.names)
    except (FileNotFoundError, ValueError) as error:
        parser.error(str(error))
    made = {
        f"{network} {granularity}": record(zoo, network, granularity)
        for network in track(networks, "quantize", console=Console(stderr=True))
        for granularity in GRANULARITIES
    }
    arguments.json.write_text(json.dumps(made, indent=1) + "\n")


if __name__ == "__main__":
    main()
