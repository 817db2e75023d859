"""Measures one network: what `network_bench` starts for each, so that its memory is freed."""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import numpy as np

from quantune_mlir.backend.benchmark import Ratio, device_for, measure, pinned, repeated
from quantune_mlir.backend.peers.job import Values
from quantune_mlir.model import Model
from quantune_mlir.samples.sample_set import SampleSet
from quantune_mlir.workflow.artifacts import Artifacts
from quantune_mlir.workflow.comparison import compare, random_values
from quantune_mlir.workflow.quantization import quantize
from quantune_mlir.workflow.save import save
from quantune_mlir.workflow.variant import VARIANTS
from quantune_mlir.workflow.variants import Variants
from tools import peak_rss
from tools.networks import Networks
from tools.zoo import Zoo

WEIGHED: Final = ("onnxruntime", "onnxruntime-int8")
"""Peers whose memory is measured beside ours."""


def quantized(networks: Networks, name: str) -> tuple[Path, SampleSet]:
    """The output directory of a network, made with default options if it is not there; its calibration samples."""
    source = networks.model(name)
    directory = networks.work / name / "quantized"
    model = Model.load(source)
    samples = SampleSet.open(networks.calibration(name, model.inputs[0].shape), model.inputs)
    if not directory.is_dir():
        save(quantize(model, samples), directory, source=source)
    return directory, samples


def measured_row(
    networks: Networks, name: str, *, target: str, peers: list[str], seconds: float, scaling: bool
) -> dict[str, Any]:
    """All that is measured of a network, as JSON holds it."""
    directory, samples = quantized(networks, name)
    variants = Variants(Artifacts.open(directory), target=target)
    load = os.getloadavg()[0]
    compared = compare(variants, VARIANTS, peers, seconds=seconds, model=networks.model(name), calibration=samples)
    values = random_values(variants.model.inputs, np.random.default_rng(0))
    files = {variant: variants.compiled(variant) for variant in VARIANTS} | compared.peers
    return {
        "macs": sum(layer.macs for layer in variants.model.layers),
        "load_before": load,
        "latency": compared.as_dict(),
        "int8_over_fp32": asdict(compared.ratio("int8", "fp32")),
        "absent": compared.absent,
        "bytes": {of: file.stat().st_size for of, file in files.items()},
        "peak_rss": measured_memory(
            {of: file for of, file in files.items() if of in (*VARIANTS, *WEIGHED)}, variants, values
        ),
        "scaling": measured_scaling(variants, values, seconds) if scaling else None,
    }


def measured_memory(files: dict[str, Path], variants: Variants, values: Values) -> dict[str, dict[str, int]]:
    """What `peak_rss` says of each file."""
    with tempfile.TemporaryDirectory() as folder:
        inputs = Path(folder) / "values.npz"
        arrays: dict[str, Any] = {spec.name: value for spec, value in zip(variants.model.inputs, values, strict=True)}
        np.savez(inputs, **arrays)
        return {name: peak_rss.measured(file, inputs) for name, file in files.items()}


def measured_scaling(variants: Variants, values: Values, seconds: float) -> dict[str, dict[str, float]] | None:
    """Time on one thread over time on two, by variant; None where there are no two CPUs."""
    with pinned(2) as cpus:
        if len(cpus) < 2:
            return None
        runners = {
            f"{variant} {threads}": repeated(variants.load(variant, device=device_for(threads)).bound(*values))
            for variant in VARIANTS
            for threads in (1, 2)
        }
        times = measure(runners, seconds=seconds)
    return {variant: asdict(Ratio.of(times[f"{variant} 1"], times[f"{variant} 2"])) for variant in VARIANTS}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("network")
    parser.add_argument("output", type=Path, help="the row, as JSON")
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--target", required=True)
    parser.add_argument("--against", required=True, help="peers, separated by commas")
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--scaling", action="store_true", help="measure two threads too")
    arguments = parser.parse_args()
    row = measured_row(
        Networks(Zoo.find(), arguments.work),
        arguments.network,
        target=arguments.target,
        peers=arguments.against.split(","),
        seconds=arguments.seconds,
        scaling=arguments.scaling,
    )
    arguments.output.write_text(json.dumps(row), encoding="utf-8")


if __name__ == "__main__":
    main()
