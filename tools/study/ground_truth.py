"""Measures one network at one granularity: each layer alone, all but each layer, and curves of growing fp32 share."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from quantune_mlir.integer.integer_options import Granularity
from quantune_mlir.numerics.formats import FP32
from quantune_mlir.planning.costs import CostModel
from quantune_mlir.planning.metric import Metric
from quantune_mlir.planning.sensitivity import SensitivityList
from quantune_mlir.workflow.inference_runs import analyze
from quantune_mlir.workflow.options import QuantizeOptions
from quantune_mlir.workflow.policy import DEFAULT_POLICY
from quantune_mlir.workflow.progress import SILENT, Stopwatch
from quantune_mlir.workflow.quantization import find_costs
from tools.study import orders
from tools.study.judge import Judge
from tools.study.onnxruntime_metrics import onnxruntime_metrics
from tools.study.subject import Subject
from tools.zoo import Zoo

RANDOM_ORDERS: Final = 10


@dataclass(frozen=True)
class Curve:
    """An order in which layers become fp32, and what each prefix of it gives.

    Attributes:
        order: layers, the first to become fp32 first.
        noise: float[n + 1], noise-to-signal power at the output with the first i layers in fp32.
        top1: float[n + 1].
        fp32_mac_share: float[n + 1].
        time_share: float[n + 1], modelled time of the program over that of all fp32.
        runs: inference runs over the samples that the order took to find.
    """

    order: list[str]
    noise: list[float]
    top1: list[float]
    fp32_mac_share: list[float]
    time_share: list[float]
    runs: int


def measure(
    zoo: Zoo, network: str, granularity: Granularity, *, samples: int, validation: int | None
) -> Iterator[dict[str, Any]]:
    """What the study finds of one network, as it goes into JSON: first without curves, then with them."""
    start = time.perf_counter()
    subject = Subject.load(zoo, network, samples, validation)
    model, calibration = subject.model, subject.calibration
    options = QuantizeOptions(weights=granularity, samples=samples)
    watch = Stopwatch(SILENT)
    analyzed = analyze(model, calibration, options, watch)
    model, sensitivity = analyzed.model, analyzed.sensitivity
    judge = Judge.of(subject, analyzed.profile, options)
    names = judge.model.names
    plans = {"fp32": [], "int8": names}
    plans |= {f"only {name}": [name] for name in names}
    plans |= {f"without {name}": [other for other in names if other != name] for name in names}
    truth = _judged(judge, plans)
    found = {
        "network": network,
        "granularity": granularity,
        "samples": calibration.samples,
        "validation_samples": len(subject.labels),
        "fp32": truth["fp32"],
        "int8": truth["int8"],
        "rounding_normalized_mse": sensitivity.rounding_normalized_mse,
        "layers": [
            _sensitivity_row(sensitivity, name)
            | {"only_int8": truth[f"only {name}"], "all_but_int8": truth[f"without {name}"]}
            for name in names
        ],
        "onnxruntime": onnxruntime_metrics(zoo.model(network), calibration, granularity, names),
        "seconds": time.perf_counter() - start,
    }
    yield found
    costs = find_costs(model, analyzed.rewriter, DEFAULT_POLICY, watch)
    by_name = {name: asdict(curve) for name, curve in curves(judge, sensitivity, costs).items()}
    yield found | {"curves": by_name, "seconds": time.perf_counter() - start}


def curves(judge: Judge, sensitivity: SensitivityList, costs: CostModel) -> dict[str, Curve]:
    """Curves by the name of what orders the layers."""
    names = judge.model.names
    found = {metric.value: (orders.by_metric(sensitivity, metric, names), 2) for metric in Metric}
    found["first_and_last"] = orders.first_and_last(names), 0
    found |= {f"random_{seed}": (orders.random_order(names, seed), 0) for seed in range(RANDOM_ORDERS)}
    found["greedy"] = greedy(judge), len(names) * (len(names) + 1) // 2
    macs = {layer.name: layer.macs for layer in judge.model.layers}
    all_fp32 = costs.total(dict.fromkeys(names, FP32)).time
    prefixes = {f"{name} {i}": order[i:] for name, (order, _) in found.items() for i in range(len(order) + 1)}
    judged = _judged(judge, prefixes)
    return {
        name: Curve(
            order,
            [judged[f"{name} {i}"]["noise"] for i in range(len(order) + 1)],
            [judged[f"{name} {i}"]["top1"] for i in range(len(order) + 1)],
            [sum(macs[layer] for layer in order[:i]) / (sum(macs.values()) or 1) for i in range(len(order) + 1)],
            [costs.total(dict.fromkeys(order[:i], FP32)).time / all_fp32 for i in range(len(order) + 1)],
            runs,
        )
        for name, (order, runs) in found.items()
    }


def greedy(judge: Judge) -> list[str]:
    """The expensive oracle's order."""
    return orders.greedy(
        judge.model.names, lambda candidates: judge.noise([judge.model.plan(int8) for int8 in candidates])
    )


def _judged(judge: Judge, int8_layers: Mapping[str, Sequence[str]]) -> dict[str, dict[str, float]]:
    """Noise at the output and top-1 of plans, by the plan's name."""
    plans = [judge.model.plan(layers) for layers in int8_layers.values()]
    pairs = zip(judge.noise(plans), judge.top1(plans), strict=True)
    return {name: {"noise": noise, "top1": top1} for name, (noise, top1) in zip(int8_layers, pairs, strict=True)}


def _sensitivity_row(sensitivity: SensitivityList, name: str) -> dict[str, Any]:
    (row,) = (layer for layer in sensitivity.layers if layer.name == name)
    return row.model_dump()
