"""Compares modelled costs of kernels with measured ones, on this machine's instruction sets.

    python -m tools.cost_check [--networks resnet8_cifar10,...] [--isa avx512vnni,avx2] [--json FILE] [--markdown FILE]

For each instruction set one factor, nanoseconds a cycle, is fitted; what is left is the model's error. It means
something only on an idle machine.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from math import exp, log
from pathlib import Path
from typing import Any, Final

import numpy as np

from quantune_mlir.backend.group_latency import latency_cache, measure_latencies
from quantune_mlir.backend.kernel_groups import KernelGroup, kernel_groups
from quantune_mlir.hardware.host_isa import host_flags, needs
from quantune_mlir.hardware.targets import load_target, throughput_of
from quantune_mlir.hardware.throughput import Work
from quantune_mlir.model import Model
from quantune_mlir.planning.plan import ALL_INT8
from quantune_mlir.samples.sample_set import SampleSet
from quantune_mlir.sensitivity.calibration import Calibrator
from quantune_mlir.workflow.options import DEFAULTS
from quantune_mlir.workflow.rewriting import PlanRewriter
from tools.markdown import table
from tools.names import chosen
from tools.networks import Networks
from tools.zoo import Zoo

ISAS: Final = ("avx512vnni", "avxvnni", "avx2", "sse4")
_CALIBRATION_SAMPLES: Final = 4


@dataclass(frozen=True)
class Row:
    """A kernel group of a network on an instruction set."""

    isa: str
    network: str
    program: str
    work: Work
    us: float
    cycles: float


@dataclass(frozen=True)
class Fit:
    """How well an instruction set's model fits.

    Attributes:
        nanoseconds: of a cycle, the geometric mean over groups.
        factor: by which the model is off for a group, in geometric mean.
        speedup_factor: the same of a network's ratio of fp32 to int8.
        groups: distinct ones.
    """

    isa: str
    nanoseconds: float
    factor: float
    speedup_factor: float
    groups: int


def measure_network(networks: Networks, name: str, isas: Sequence[str]) -> list[Row]:
    """Every group of a network's fp32 and int8 programs, on each instruction set."""
    model = Model.load(networks.model(name))
    inputs = networks.calibration(name, model.inputs[0].shape)
    samples = SampleSet.open(inputs, model.inputs, count=_CALIBRATION_SAMPLES)
    profile = Calibrator(model, load_target("host")).run(samples)
    int8 = PlanRewriter(model, profile, DEFAULTS).rewrite(ALL_INT8)
    programs = {"fp32": kernel_groups(model.module), "int8": kernel_groups(int8.module)}
    rows: list[Row] = []
    for isa in isas:
        target = load_target("host").model_copy(update={"isa": isa})
        everything = [group for groups in programs.values() for group in groups]
        times = measure_latencies(everything, (), target, latency_cache(target))
        for program, groups in programs.items():
            rows += [_row(isa, name, program, group, times[group.key]) for group in groups]
    return rows


def _row(isa: str, network: str, program: str, group: KernelGroup, us: float) -> Row:
    return Row(isa, network, program, group.work, us, throughput_of(isa).cycles(group.work))


def fit(rows: Sequence[Row]) -> Fit:
    """The fit of one instruction set."""
    distinct = {(row.work, row.us): row for row in rows}.values()
    ratios = np.log([1e3 * row.us / row.cycles for row in distinct])
    errors: list[float] = []
    for network in {row.network for row in rows}:
        mine = [row for row in rows if row.network == network]
        measured, modelled = (_speedup(mine, field) for field in ("us", "cycles"))
        errors.append(abs(log(modelled / measured)))
    return Fit(
        isa=rows[0].isa,
        nanoseconds=exp(float(ratios.mean())),
        factor=exp(float(np.abs(ratios - ratios.mean()).mean())),
        speedup_factor=exp(float(np.mean(errors))),
        groups=len(distinct),
    )


def _speedup(rows: Sequence[Row], field: str) -> float:
    totals = {p: sum(getattr(row, field) for row in rows if row.program == p) for p in ("fp32", "int8")}
    return totals["fp32"] / totals["int8"]


def markdown(rows: Sequence[Row]) -> str:
    """Both tables: fits, and each network's speedup of int8 over fp32, measured and modelled."""
    isas = list(dict.fromkeys(row.isa for row in rows))
    fits = [fit([row for row in rows if row.isa == isa]) for isa in isas]
    quality = table(
        ["instruction set", "groups", "ns a cycle", "off by, a group", "off by, fp32/int8 of a network"],
        ([f.isa, str(f.groups), f"{f.nanoseconds:.2f}", f"{f.factor:.2f}x", f"{f.speedup_factor:.2f}x"] for f in fits),
    )
    speedups: list[list[str]] = []
    for network in dict.fromkeys(row.network for row in rows):
        cells: list[str] = []
        for isa in isas:
            mine = [row for row in rows if (row.network, row.isa) == (network, isa)]
            cells.append(f"{_speedup(mine, 'us'):.2f}, modelled {_speedup(mine, 'cycles'):.2f}")
        speedups.append([network, *cells])
    return f"{quality}\n\n{table(['network', *isas], speedups)}\n"


def main(arguments: Sequence[str]) -> int:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--networks", default="all", help="names, separated by commas (default: all of the zoo)")
    parser.add_argument("--isa", default=",".join(isa for isa in ISAS if needs(isa) <= host_flags()))
    parser.add_argument("--json", type=Path)
    parser.add_argument("--markdown", type=Path)
    options: Any = parser.parse_args(arguments)
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as folder:
        networks = Networks(Zoo.find(), Path(folder))
        names = chosen(options.networks, networks.names, networks.zoo.names)
        for name in names:
            rows += measure_network(networks, name, options.isa.split(","))
            print(f"{name}: {len(rows)} groups so far", file=sys.stderr, flush=True)
    text = markdown(rows)
    print(text)
    if options.json:
        options.json.write_text(json.dumps([asdict(row) for row in rows], indent=1) + "\n", encoding="utf-8")
    if options.markdown:
        options.markdown.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
