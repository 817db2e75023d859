"""Counts what networks of the zoo take on another CPU: all int8 with our kernels, the same TOSA by IREE, and fp32.

    python -m tools.instructions --work DIR [--target armv8-dotprod] [--networks resnet8_cifar10,...] [--functions 10]

Whole networks as the zoo has them, closing softmax included, as C bundles in qemu. Instructions, not cycles.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from collections import Counter
from pathlib import Path
from typing import Any, Final

from quantune_mlir.backend.delivery import Delivery, write_files
from quantune_mlir.errors import QuantuneError
from quantune_mlir.hardware.targets import Target, load_target
from quantune_mlir.mlir.bindings import ir
from quantune_mlir.model import Model
from quantune_mlir.planning.plan import ALL_INT8
from quantune_mlir.samples.sample_set import SampleSet
from quantune_mlir.sensitivity.calibration import Calibrator
from quantune_mlir.workflow.options import QuantizeOptions
from quantune_mlir.workflow.rewriting import PlanRewriter
from tools.instructions.counting import build_plugin, instructions_of
from tools.markdown import table
from tools.names import chosen
from tools.networks import Networks
from tools.zoo import Zoo

PROGRAMS: Final = ("int8", "iree", "fp32")
"""Our int8, the same TOSA without our kernels, our fp32."""
_HEAD: Final = ("network (MACs)", "int8", "per MAC", "IREE's int8", "ours / IREE's", "fp32", "int8 / fp32")
_MILLION: Final = 1e6


def counted(
    networks: Networks, name: str, target: Target, programs: list[str], requantize: Any
) -> tuple[int, dict[str, Counter[str]]]:
    """MACs of a network, and instructions by function of each program."""
    model = Model.load(networks.model(name))
    samples = networks.calibration(name, model.inputs[0].shape)
    profile = Calibrator(model, load_target("host")).run(SampleSet.open(samples, model.inputs))
    options = QuantizeOptions(target=target.name, requantize=requantize)
    int8 = PlanRewriter(model, profile, options).rewrite(ALL_INT8).module
    first = [array[:1] for array in samples.values()]
    plugin = build_plugin(networks.work)
    result: dict[str, Counter[str]] = {}
    for program in programs:
        module: ir.Module = model.module if program == "fp32" else int8
        delivery = Delivery("c-bundle", title=name, kernels=program != "iree", samples=[first])
        folder = networks.work / name / f"{target.name}-{program}"
        shutil.rmtree(folder, ignore_errors=True)
        folder.parent.mkdir(exist_ok=True)
        write_files(delivery.files(module, target), folder)
        result[program] = instructions_of(folder, target.c, plugin)
    return sum(layer.macs for layer in model.layers), result


def row(name: str, macs: int, counts: dict[str, Counter[str]]) -> list[str]:
    """A row of the table."""
    totals = {program: sum(found.values()) for program, found in counts.items()}

    def ratio(over: str) -> str:
        return f"{totals['int8'] / totals[over]:.2f}" if {"int8", over} <= totals.keys() else ""

    def millions(program: str) -> str:
        return f"{totals[program] / _MILLION:.2f} M" if program in totals else ""

    each = f"{totals['int8'] / macs:.2f}" if "int8" in totals else ""
    cells = [millions("int8"), each, millions("iree"), ratio("iree"), millions("fp32"), ratio("fp32")]
    return [f"{name} ({macs / _MILLION:.1f} M)", *cells]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--work", type=Path, required=True, help="directory for bundles")
    parser.add_argument("--target", default="armv8-dotprod", help="one with an emulator (default: armv8-dotprod)")
    parser.add_argument("--networks", default="all", help="names, separated by commas (default: all)")
    parser.add_argument("--programs", default="all", help=f"of {', '.join(PROGRAMS)} (default: all)")
    parser.add_argument("--requantize", choices=["integer", "float"], help="default: what suits the target")
    parser.add_argument("--functions", type=int, default=0, help="name so many functions that take most (default: 0)")
    arguments = parser.parse_args()
    try:
        networks = Networks(Zoo.find(), arguments.work)
        target = load_target(arguments.target)
        wanted = chosen(arguments.networks, networks.names, networks.zoo.names)
        programs = chosen(arguments.programs, PROGRAMS)
    except (FileNotFoundError, ValueError, QuantuneError) as error:
        parser.error(str(error))
    if not target.c.emulator:
        parser.error(f"target {target.name} names no emulator")
    arguments.work.mkdir(parents=True, exist_ok=True)
    rows: list[list[str]] = []
    for name in wanted:
        macs, counts = counted(networks, name, target, programs, arguments.requantize)
        rows.append(row(name, macs, counts))
        for program, found in counts.items():
            for function, count in found.most_common(arguments.functions):
                print(f"{name} {program} {count / _MILLION:9.3f} M {function}", file=sys.stderr)
    print(table(_HEAD, rows))


if __name__ == "__main__":
    main()
