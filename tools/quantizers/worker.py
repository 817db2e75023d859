"""One step of one case, in a process of its own: `launch` starts it.

    python -m tools.quantizers.worker quantize CASE DATA DIRECTORY SAMPLES    writes DIRECTORY/quantized.json
    python -m tools.quantizers.worker run CASE DATA DIRECTORY VARIANT         writes DIRECTORY/VARIANT.npz

It binds itself to the CPU and keeps to the memory that QUANTIZERS_CPU and QUANTIZERS_MEMORY say, in GiB.
"""

from __future__ import annotations

import json
import os
import resource
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from tools.quantizers.cases import Case
    from tools.quantizers.data import Data

CPU: Final = "QUANTIZERS_CPU"
MEMORY: Final = "QUANTIZERS_MEMORY"


def confine() -> None:
    """Bind this process and all that it starts. To be called before anything counts the CPUs."""
    os.sched_setaffinity(0, {int(os.environ[CPU])})
    limit = int(float(os.environ[MEMORY]) * 2**30)
    resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))


def quantize(case: Case, data: Data, directory: Path, samples: int) -> None:
    from tools.quantizers.quantized import quantizer
    from tools.quantizers.stages import Stages, peak_kib

    module = quantizer(case)
    module.load()
    before = peak_kib()
    stages = Stages()
    quantized = module.quantize(case, data, samples, directory, stages)
    written: dict[str, Any] = {
        "seconds": stages.seconds,
        "cpu_seconds": stages.cpu_seconds,
        "before_kib": before,
        "peak_kib": peak_kib(),
        "variants": quantized.variants,
        "details": quantized.details,
    }
    (directory / "quantized.json").write_text(json.dumps(written), encoding="utf-8")


def run(case: Case, data: Data, directory: Path, variant: str) -> None:
    import numpy as np

    from tools.quantizers.quantized import quantizer

    module = quantizer(case)
    module.load()
    runners = module.runners(case, data, directory, variant)
    found: dict[str, Any] = {"bytes": sum(file.stat().st_size for file in runners.files)}
    for name, runner in (("output", runners.output), ("logits", runners.logits)):
        if runner is not None:
            found[name] = np.concatenate([runner(sample).reshape(1, -1) for sample in data.samples("val")])
    np.savez(directory / f"{variant}.npz", **found)


def main() -> None:
    confine()
    command, case, data, directory, last = sys.argv[1:]
    from tools.quantizers.cases import Case
    from tools.quantizers.data import Data

    if command == "quantize":
        quantize(Case(case), Data.open(Path(data)), Path(directory), int(last))
    else:
        run(Case(case), Data.open(Path(data)), Path(directory), last)


if __name__ == "__main__":
    main()
