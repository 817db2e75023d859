"""The command line: see the package."""

from __future__ import annotations

import argparse
import os
import sys
import time
from datetime import datetime, timezone
from pathlib import Path
from typing import Final

from tools.names import chosen
from tools.networks import Networks
from tools.quantizers import report
from tools.quantizers.cases import REFERENCE, matching
from tools.quantizers.data import CALIBRATION_SAMPLES, DIGITS, prepared
from tools.quantizers.launch import Limits
from tools.quantizers.measure import Scorer, measured, reference_outputs, timed_again, write_row
from tools.quantizers.results import Results, row_path, write_machine
from tools.zoo import Zoo

LARGE: Final = ("resnet18_v1", "mobilenet_v2", "resnet50_v1", "vgg16")
"""Last, since they take longest."""


def run(arguments: argparse.Namespace) -> None:
    """Measures what is wanted and not there yet."""
    directory: Path = arguments.json
    networks = _networks(directory)
    default = [DIGITS] if networks is None else [*networks.zoo.names, *LARGE]
    wanted = chosen(arguments.networks, dict.fromkeys([*default, DIGITS]), default)
    cases = matching(arguments.cases.split(","))
    write_machine(directory)
    limits = Limits(arguments.cpu, arguments.memory, arguments.seconds)
    for name in wanted:
        data = prepared(networks, name, directory / "data" / name)
        for case in cases:
            path, made = row_path(directory, name, case), directory / "made" / name
            there = path.is_file() and (case.name != REFERENCE or reference_outputs(made).is_file())
            if there and not arguments.force:
                continue
            start = time.monotonic()
            row = measured(case, data, made / case.file_stem, limits, arguments.samples, _scorer(networks, name))
            write_row(path, {"network": name, "metric": data.metric, **row})
            outcome = "failed: " + "; ".join(row["failures"].values()) if "variants" not in row else ""
            print(f"{name} {case.name}: {time.monotonic() - start:.1f} s {outcome}", file=sys.stderr, flush=True)


def time_again(arguments: argparse.Namespace) -> None:
    """Quantizes again what is there, all cases of a network in turns."""
    directory: Path = arguments.json
    networks = _networks(directory)
    results = Results(directory)
    limits = Limits(arguments.cpu, arguments.memory, arguments.seconds)
    wanted = chosen(arguments.networks, results.networks)
    cases = [case for case in matching(arguments.cases.split(",")) if case.name != REFERENCE]
    for name in wanted:
        data = prepared(networks, name, directory / "data" / name)
        for _ in range(arguments.passes):
            turn = datetime.now(timezone.utc).isoformat()
            for case in cases:
                row = results.row(name, case)
                if row is None:
                    raise ValueError(f"{name} {case.name} was not measured: nothing to time again")
                again = timed_again(row, case, data, directory / "again", limits, turn)
                write_row(row_path(directory, name, case), again)
                results.rows[name][case.name] = again
                print(f"{name} {case.name}: pass {again['passes']}", file=sys.stderr, flush=True)


def _networks(directory: Path) -> Networks | None:
    """None where there is no zoo."""
    try:
        return Networks(Zoo.find(), directory / "synthetic")
    except FileNotFoundError as error:
        print(f"{error}; only {DIGITS} can be measured", file=sys.stderr)
        return None


def _scorer(networks: Networks | None, name: str) -> Scorer:
    return lambda outputs: networks.zoo.score(name, outputs) if networks else None


def _add_options(command: argparse.ArgumentParser) -> None:
    """What is run, and how."""
    command.add_argument(
        "--json", type=Path, required=True, metavar="DIR", help="one JSON file for each row, and all else"
    )
    command.add_argument(
        "--networks", default="all", help=f"separated by commas; {DIGITS} needs no zoo (default: the zoo)"
    )
    command.add_argument("--cases", default="*", help="patterns, separated by commas, such as 'ours/*,nncf/default'")
    command.add_argument("--cpu", type=int, default=max(os.sched_getaffinity(0)), help="the CPU that all are bound to")
    command.add_argument("--memory", type=float, default=10.0, metavar="GIB", help="a process may have (default: 10)")
    command.add_argument("--seconds", type=float, default=3600.0, help="a process may take (default: 3600)")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tools.quantizers")
    commands = parser.add_subparsers(dest="command", required=True)
    runs = commands.add_parser("run", help="measure; what the directory holds already is not measured again")
    runs.set_defaults(call=run)
    _add_options(runs)
    runs.add_argument("--samples", type=int, default=CALIBRATION_SAMPLES, help="of calibration (default: 100)")
    runs.add_argument("--force", action="store_true", help="measure again what is there")
    again = commands.add_parser("time", help="quantize again what is there, in turns")
    again.set_defaults(call=time_again)
    _add_options(again)
    again.add_argument("--passes", type=int, default=1, metavar="N", help="more ones (default: 1)")
    reports = commands.add_parser("report", help="write the report")
    reports.add_argument("json", type=Path, metavar="DIR")
    reports.add_argument("output", type=Path, metavar="FILE.md")
    reports.add_argument("--latency", type=Path, metavar="FILE", help="what tools.network_bench wrote by --json")
    reports.set_defaults(call=lambda given: report.write(given.json, given.output, given.latency))
    arguments = parser.parse_args()
    try:
        arguments.call(arguments)
    except (ValueError, FileNotFoundError) as error:
        parser.error(str(error))


if __name__ == "__main__":
    main()
