"""Runs that are made up, with names that would do harm."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from quantune_mlir.numerics.histogram import Histogram
from quantune_mlir.numerics.profile import Profile
from quantune_mlir.report.run import BenchedProgram, Run, Score
from quantune_mlir.report.summary_file import Summary

HOSTILE = (
    "</script><script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "{{ 7 * 7 }}{% raw %}",
    "reversed \u202e and \x1b[31m <!-- -->",
    "conv'\\\"&amp;",
    "http://example.com/a.js",
)


def layer(index: int, name: str, precision: str) -> dict[str, object]:
    inputs = [HOSTILE[index - 1]] if index else ["%x"]
    return {
        "name": name,
        "op": "Conv",
        "precision": precision,
        "macs": 1000 * index,
        "weight_bytes": 10,
        "shape": [1, 4, 4, 8],
        "inputs": inputs,
        "boundaries": inputs if index == 3 else [],
        "activation_sqnr_db": 20.0 + index,
        "local_sqnr_db": "inf",
        "alone_normalized_mse": 10.0 ** -(index + 2),
        "reason": f"because of {name}",
        "decision": {
            "ground": "quiet",
            "named": "",
            "rank": index + 1,
            "noise": 10.0 ** -(index + 2),
            "noise_int8": 0.01,
            "noise_fp32": 0.005,
            "extra_time": 10.0,
        },
        "cost": {"int8": {"time": 100.0, "bytes": 10}, "fp32": {"time": 400.0, "bytes": 40}},
        "weights": {"channels": 3, "largest": [0.1, 0.2, 0.9]},
    }


def summary(name: str = "net.onnx", hostile: bool = True) -> Summary:
    names = HOSTILE if hostile else tuple(f"layer{i}" for i in range(6))
    layers = [layer(i, each, "fp32" if i > 2 else "int8") for i, each in enumerate(names)]
    if not hostile:
        for i, each in enumerate(layers):
            each["inputs"] = [f"layer{i - 1}"] if i else ["%x"]
    points = [
        {"chosen": i == 2, "sqnr_db": 20.0 + i, "time": 600.0 + 100 * i, "bytes": 60, "fp32": list(range(i))}
        | {"options": ["--min-sqnr", f"{20 + i}"]}
        for i in range(5)
    ]
    points.append({"chosen": False, "sqnr_db": "inf", "time": 2400.0, "bytes": 240, "fp32": [0], "options": []})
    part = {"name": names[0], "output": "y", "signal": "output", "measured_sqnr_db": 8.0}
    amounts = {key: {"time": time, "bytes": 60} for key, time in (("int8", 600), ("mixed", 800), ("fp32", 2400))}
    return Summary.model_validate(
        {
            "format": 3,
            "versions": {"quantune-mlir": "0.1.0", "numpy": names[1]},
            "model": {"file": name, "path": f"/{name}", "sha256": "00ff"},
            "options": {"weights": names[2], "equalize": None},
            "requantize": "float",
            "policy": names[0],
            "command": {"arguments": [name, "--calibration", names[0]], "policy": [], "circumstances": []},
            "inference_runs": {"fp32": 1, "int8": 1, "samples": 4, "int8_samples": 4},
            "predicted": [{"layer": names[0], "int8_sqnr_db": 20.0, "mixed_sqnr_db": 22.0}],
            "verification": {
                "samples": 4,
                "parts": [{**part, "predicted_sqnr_db": None, "whole_sqnr_db": 20.0}],
            },
            "warnings": [f"measured at {names[0]}"],
            "timings_s": {"run_fp32": 0.5, names[0]: 1.0},
            "costs": {"unit": "cycles", **amounts},
            "front": points,
            "tensors": [{"name": each, "scale": 0.01, "zero_point": 0, "low": -1.28, "high": 1.27} for each in names],
            "layers": layers,
            "totals": {
                "fp32_program_bytes": 4000,
                "mixed_program_bytes": 2000,
                "macs": 15000,
                "int8_mac_share": 0.2,
                "int8_layers": 3,
                "layers": 6,
            },
        }
    )


def run(name: str = "net.onnx", hostile: bool = True, measured: bool = True) -> Run:
    read = summary(name, hostile)
    rng = np.random.default_rng(0)
    histograms = {each.name: Histogram.of(rng.standard_normal(500).astype(np.float32)) for each in read.layers}
    score = {"samples": 4, "worst_sqnr_db": 8.5, "top1": 0.875}
    latency = {"p10_ms": 1.0, "p90_ms": 2.0, "runs": 9}
    variants = ("fp32", "int8", "mixed") if measured else ()
    return Run(
        name,
        read,
        Profile("m", 4, histograms),
        {variant: Score.model_validate(score) for variant in variants},
        {v: BenchedProgram.model_validate({**latency, "median_ms": 1.5 + i}) for i, v in enumerate(variants)},
        {"plan.yaml": "00ff"},
    )


def detector(count: int = 230) -> Run:
    """A run of a network with `count` layers: a trunk with short cuts, then three heads that are joined."""
    small = run(hostile=False)
    template = small.summary.layers[1]
    names = [f"backbone/stage{i // 40}/block{i // 5}/convolution{i}/Conv" for i in range(count)]
    heads = range(count - 31, count - 1)
    rng = np.random.default_rng(0)

    def inputs(index: int) -> list[str]:
        if index == count - 1:
            return [names[each] for each in list(heads)[-3:]]
        before = index - 3 if index in heads and index - 3 in heads else min(index - 1, heads[0] - 1)
        short_cut = [names[index - 5]] if 5 < index < heads[0] and index % 5 == 0 else []
        return [names[before] if index else "%image", *short_cut]

    weights = {"channels": 64, "largest": sorted(rng.uniform(0, 1, 64).round(4))}
    layers = [
        type(template).model_validate(
            {
                **template.model_dump(),
                "name": name,
                "op": "AVERAGE_POOL_2D" if index % 7 == 1 else template.op,
                "inputs": inputs(index),
                "shape": [1, 40, 40, 64],
                "weights": weights,
            }
        )
        for index, name in enumerate(names)
    ]
    point = small.summary.front[0]
    front = [
        point.model_copy(update={"fp32": tuple(range(place)), "time": 600.0 + place, "sqnr_db": 10.0 + place / 3})
        for place in range(120)
    ]
    histograms = {name: Histogram.of(rng.standard_normal(5000).astype(np.float32)) for name in names}
    read = small.summary.model_copy(update={"layers": tuple(layers), "front": (*front, *small.summary.front[2:3])})
    return replace(small, summary=read, profile=Profile("m", 4, histograms))
