"""python -m tools.fuzz --minutes 1 [--seed N] [--only onnx,mlir] [--failures DIR] [--json FILE].

Each round gives every kind of input its share. What fails is kept in --failures, and makes the status 1.
"""

from __future__ import annotations

import argparse
import gc
import json
import random
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Final

from tools.fuzz.outcome import GOOD
from tools.fuzz.server import run_all
from tools.fuzz.surfaces import SURFACES, Surface

_UNIT: Final = 8
"""Inputs of a round for each share."""


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tools.fuzz", description=(__doc__ or "").splitlines()[-1])
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="", help="kinds of inputs, separated by commas")
    parser.add_argument("--failures", type=Path, default=Path("fuzz-failures"), help="where what fails is kept")
    parser.add_argument("--json", type=Path, help="where the numbers are written")
    arguments = parser.parse_args()
    chosen = [s for s in SURFACES if not arguments.only or s.name in arguments.only.split(",")]
    counts = fuzz(chosen, arguments.minutes * 60, arguments.seed, arguments.failures)
    rows = {name: {"inputs": sum(found.values()), **dict(found.most_common())} for name, found in counts.items()}
    for name, row in rows.items():
        print(f"{name:14s} {row}")
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    sys.exit(any(outcome not in GOOD for found in counts.values() for outcome in found))


def fuzz(surfaces: list[Surface], seconds: float, seed: int, failures: Path) -> dict[str, Counter[str]]:
    """Run mutated inputs for so long; how often each outcome was had, by kind of input."""
    rng = random.Random(seed)
    counts = {surface.name: Counter[str]() for surface in surfaces}
    seeds = {surface.name: surface.seeds() for surface in surfaces}
    gc.collect()
    gc.freeze()  # Children would copy every page that the collector looks at.
    end = time.monotonic() + seconds
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        while time.monotonic() < end:
            for surface in surfaces:
                stem = surface.name.replace(" ", "-")
                paths = [Path(folder) / f"{stem}{i}{surface.suffix}" for i in range(_UNIT * surface.share)]
                for path in paths:
                    path.write_bytes(surface.mutate(rng.choice(seeds[surface.name]), rng))
                for path, outcome in run_all(surface.run, paths):
                    counts[surface.name][outcome] += 1
                    if outcome not in GOOD:
                        _keep(path, surface, outcome, counts[surface.name][outcome], failures)
    return counts


def _keep(path: Path, surface: Surface, outcome: str, number: int, failures: Path) -> None:
    """The first few inputs of each kind of failure."""
    if number <= 3:
        failures.mkdir(parents=True, exist_ok=True)
        words = "".join(c if c.isalnum() else "-" for c in outcome)
        name = f"{surface.name.replace(' ', '-')}-{words}-{number}{surface.suffix}"
        (failures / name).write_bytes(path.read_bytes())
        print(f"{surface.name}: {outcome}: {failures / name}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
