"""The command line of the study.

python -m tools.study ground-truth --networks kws_dscnn --granularity per-tensor --json DIR
python -m tools.study report DIR docs/results
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from quantune_mlir.integer.integer_options import Granularity
from quantune_mlir.workflow.options import DEFAULT_SAMPLES
from tools.study import ground_truth
from tools.study.calibration_spread import measure_spread
from tools.study.fronts import measure_front
from tools.study.report import write_report
from tools.zoo import Zoo

NETWORKS: Final = ("resnet8_cifar10", "resnet20_cifar10", "kws_dscnn", "mobilenet_v1_025_imagenet")
SPREAD_NETWORKS: Final = ("resnet20_cifar10", "mobilenet_v1_025_imagenet")
FRONT_NETWORKS: Final = (
    "mobilenetv2s_cifar10",
    "mobilenet_v1_025_imagenet",
    "squeezenet11_imagenet",
    "tiny_darknet_imagenet",
)
"""Those of whose images some change with the default plan."""
GRANULARITIES: Final[tuple[Granularity, ...]] = ("per-tensor", "per-channel")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tools.study", description=(__doc__ or "").splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)

    def study(name: str, networks: Sequence[str], about: str) -> argparse.ArgumentParser:
        command = commands.add_parser(name, help=about)
        command.add_argument("--networks", default=",".join(networks))
        command.add_argument("--samples", type=int, default=DEFAULT_SAMPLES)
        command.add_argument("--json", type=Path, required=True)
        return command

    truth = study("ground-truth", NETWORKS, "measure layers and curves")
    truth.add_argument("--validation-samples", type=int, help="default: all")
    fronts = study("fronts", FRONT_NETWORKS, "measure what the plans along the front lose")
    for command in (truth, fronts):
        command.add_argument("--granularity", default=",".join(GRANULARITIES))
    study("calibration", SPREAD_NETWORKS, "measure what calibration samples do to the layers' SQNRs")
    report = commands.add_parser("report", help="write tables and plots")
    report.add_argument("directory", type=Path, help="what --json was")
    report.add_argument("output", type=Path, help="directory of plots; the tables go to the .md file of that name")
    arguments = parser.parse_args()
    if arguments.command == "report":
        write_report(arguments.directory, arguments.output)
        return
    zoo = Zoo.find()
    arguments.json.mkdir(parents=True, exist_ok=True)
    for network in arguments.networks.split(","):
        for name, found in _measured(zoo, network, arguments):
            write(arguments.json / f"{network}.{name}.json", found)


def _measured(zoo: Zoo, network: str, arguments: argparse.Namespace) -> Iterator[tuple[str, dict[str, Any]]]:
    """What a study finds of a network, and what to call it; a later one of the same name has all of an earlier one."""
    samples = arguments.samples
    if arguments.command == "calibration":
        yield "calibration", measure_spread(zoo, network, samples)
        return
    for granularity in arguments.granularity.split(","):
        if arguments.command == "fronts":
            yield f"front-{granularity}", measure_front(zoo, network, granularity, samples=samples)
        else:
            validation = arguments.validation_samples
            for found in ground_truth.measure(zoo, network, granularity, samples=samples, validation=validation):
                yield granularity, found


def write(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=1) + "\n")


if __name__ == "__main__":
    main()
