"""python -m tools.fuzz --minutes 1 [--seed N] [--only "onnx node,mlir"] [--failures DIR] [--json FILE].

Each round gives every kind of input its share. What fails is kept in --failures, and makes the status 1. Numbers are
added to those that FILE has, after each round: a run can be stopped at any time, and another go on.
"""

from __future__ import annotations

import argparse
import gc
import hashlib
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from tools.cpu_seconds import cpu_seconds
from tools.fuzz.counts import COMPARED, INPUTS, SECONDS_TAKEN, Counts, add, read, write
from tools.fuzz.outcome import ACCEPTED, DIFFERS, GOOD
from tools.fuzz.server import run_all
from tools.fuzz.surface import Surface
from tools.fuzz.surfaces import SURFACES

_UNIT: Final = 8
"""Inputs of a round for each share."""


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tools.fuzz", description=(__doc__ or "").splitlines()[-1])
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="", help="kinds of inputs, separated by commas")
    parser.add_argument("--failures", type=Path, default=Path("fuzz-failures"), help="where what fails is kept")
    parser.add_argument("--json", type=Path, help="where the numbers are added up")
    arguments = parser.parse_args()
    chosen = [s for s in SURFACES if not arguments.only or s.name in arguments.only.split(",")]
    found: Counts = {}
    for row in fuzz(chosen, arguments.minutes * 60, arguments.seed, arguments.failures):
        found = add(found, row)
        if arguments.json:
            write(arguments.json, add(read(arguments.json), row))
    for name, row in found.items():
        print(f"{name:14s} {row}")
    known = {*GOOD, INPUTS, COMPARED, SECONDS_TAKEN}
    sys.exit(any(outcome not in known for row in found.values() for outcome in row))


def fuzz(surfaces: Sequence[Surface], seconds: float, seed: int, failures: Path) -> Iterator[Counts]:
    """Run mutated inputs for so long; after each round of one kind, what came of it."""
    rng = random.Random(seed)
    seeds = {surface.name: surface.seeds() for surface in surfaces}
    gc.collect()
    gc.freeze()  # Children would copy every page that the collector looks at.
    end = time.monotonic() + seconds
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        while True:
            for surface in surfaces:
                stem = surface.name.replace(" ", "-")
                paths = [Path(folder) / f"{stem}{i}{surface.suffix}" for i in range(_UNIT * surface.share)]
                for path in paths:
                    path.write_bytes(surface.mutate(rng.choice(seeds[surface.name]), rng))
                yield {surface.name: _round(surface, paths, failures)}
            if time.monotonic() > end:
                return


def _round(surface: Surface, paths: Sequence[Path], failures: Path) -> dict[str, float]:
    before = cpu_seconds()
    outcomes = dict(run_all(surface.run, paths))
    row: Counter[str] = Counter({INPUTS: len(outcomes)})
    if surface.check is not None:
        accepted = [path for path, outcome in outcomes.items() if outcome == ACCEPTED]
        checked = dict(run_all(surface.check, accepted))
        outcomes |= {path: DIFFERS for path, outcome in checked.items() if outcome == DIFFERS}
        row[COMPARED] = sum(outcome in (ACCEPTED, DIFFERS) for outcome in checked.values())
    for path, outcome in outcomes.items():
        row[outcome] += 1
        if outcome not in GOOD:
            _keep(path, surface, outcome, failures)
    return {**row, SECONDS_TAKEN: round(cpu_seconds() - before, 2)}


def _keep(path: Path, surface: Surface, outcome: str, failures: Path) -> None:
    failures.mkdir(parents=True, exist_ok=True)
    words = "".join(c if c.isalnum() else "-" for c in outcome)
    content = path.read_bytes()
    name = f"{surface.name.replace(' ', '-')}-{words}-{hashlib.sha256(content).hexdigest()[:8]}{surface.suffix}"
    (failures / name).write_bytes(content)
    print(f"{surface.name}: {outcome}: {failures / name}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
