"""The command line of the study.

python -m tools.study ground-truth --networks kws_dscnn --granularity per-tensor --json DIR
python -m tools.study report DIR docs/results
python -m tools.study plans --networks made/log-mel,gallery/magika --json DIR
python -m tools.study report-plans DIR docs/results
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import platformdirs

from quantune_mlir.integer.integer_options import Granularity
from quantune_mlir.workflow.options import DEFAULT_SAMPLES
from tools.gallery.entries import ENTRIES
from tools.study import budgets, ground_truth, plan_noise
from tools.study.calibration_spread import measure_spread
from tools.study.fronts import measure_front
from tools.study.made import MADE
from tools.study.plan_tables import write_plans
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
PLAN_NETWORKS: Final = (
    *("sample/digits", "sample/detector"),
    *(f"made/{name}" for name in MADE),
    *(f"gallery/{name}" for name in ENTRIES),
    *NETWORKS,
)
UNLABELLED: Final = {"plans": plan_noise.measure, "budgets": budgets.measure}
CACHE: Final = platformdirs.user_cache_path("quantune-gallery")
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
    for name, about in (("plans", "predict and measure plans"), ("budgets", "compare --min-sqnr with a greedy search")):
        command = study(name, PLAN_NETWORKS, about)
        command.add_argument("--granularity", default=",".join(GRANULARITIES))
        command.add_argument("--gallery", type=Path, default=CACHE, help="where the gallery keeps its packages")
    plans = commands.add_parser("report-plans", help="write tables and a plot of plans")
    plans.add_argument("directory", type=Path, help="what --json was")
    plans.add_argument("output", type=Path, help="directory of plots; the tables go to the .md file of that name")
    report = commands.add_parser("report", help="write tables and plots")
    report.add_argument("directory", type=Path, help="what --json was")
    report.add_argument("output", type=Path, help="directory of plots; the tables go to the .md file of that name")
    arguments = parser.parse_args()
    if arguments.command == "report":
        write_report(arguments.directory, arguments.output)
        return
    if arguments.command == "report-plans":
        write_plans(arguments.directory, arguments.output)
        return
    arguments.json.mkdir(parents=True, exist_ok=True)
    for network in arguments.networks.split(","):
        for name, found in _measured(network, arguments):
            write(arguments.json / f"{network.replace('/', '-')}.{name}.json", found)


def _measured(network: str, arguments: argparse.Namespace) -> Iterator[tuple[str, dict[str, Any]]]:
    """What a study finds of a network, and what to call it; a later one of the same name has all of an earlier one."""
    samples = arguments.samples
    if arguments.command in UNLABELLED:
        for granularity in arguments.granularity.split(","):
            study = UNLABELLED[arguments.command]
            found = study(network, granularity, samples=samples, gallery=arguments.gallery)
            yield f"{arguments.command}-{granularity}", found
        return
    zoo = Zoo.find()
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
