"""Quantizes the networks of the model zoo with default options and prints what came of them.

    python -m tools.zoo_table [--networks kws_dscnn,ad_autoencoder] [--granularity per-channel] [--json rows.json]

Scores are top-1, or AUC where the zoo says so, over the validation samples; SQNR is that of the network's output
beside fp32. `--repairs` takes some away from the default options. The ratio is the time of both analysis runs over
that of plain fp32 runs of the same samples in the same process: it means something only on an idle machine.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from rich.console import Console
from rich.table import Table

from quantune_mlir.backend.program import Program
from quantune_mlir.integer.integer_options import Granularity
from quantune_mlir.model import Model
from quantune_mlir.planning.noise_model import NoiseModel
from quantune_mlir.samples.sample_set import SampleSet
from quantune_mlir.workflow.artifacts import Artifacts
from quantune_mlir.workflow.evaluation import Evaluation, evaluate
from quantune_mlir.workflow.options import ANALYSIS_TARGET, DEFAULT_SAMPLES, QuantizeOptions
from quantune_mlir.workflow.quantization import Quantization, quantize
from quantune_mlir.workflow.save import save
from quantune_mlir.workflow.variant import VARIANTS
from quantune_mlir.workflow.variants import Variants
from tools.markdown import number, score, table
from tools.names import chosen
from tools.zoo import Zoo

GRANULARITIES: Final[tuple[Granularity, ...]] = ("per-channel", "per-tensor")
REPAIRS: Final[Mapping[str, QuantizeOptions]] = {
    "default": QuantizeOptions(),
    "bias": QuantizeOptions(equalize=False),
    "none": QuantizeOptions(correct_bias=False, equalize=False),
}
WARM_UP_RUNS: Final = 3
FILE_WIDTH: Final = 160


@dataclass(frozen=True)
class Row:
    """One network at one granularity of weights.

    Attributes:
        metric: what `scores` holds: "top1", "auc", or None where there is no labelled data.
        scores: by variant.
        output_sqnr_db: by variant, over the validation samples.
        predicted_sqnr_db: of int8 throughout, before a closing softmax, as the analysis predicts it: beside the signal.
        signal_share: energy of the signal over that of the output.
        int8_mac_share: of the mixed program.
        fp32_layers: those that could be int8.
        analysis_ratio: seconds of run 1 and run 2 over seconds of plain fp32 runs.
        inference_runs: run over the calibration samples, by precision; and the number of these samples.
        timings_s: by stage.
    """

    network: str
    granularity: Granularity
    metric: str | None
    scores: dict[str, float | None]
    output_sqnr_db: dict[str, float | None]
    predicted_sqnr_db: float
    signal_share: float
    int8_mac_share: float
    fp32_layers: list[str]
    analysis_ratio: float
    inference_runs: dict[str, int]
    timings_s: dict[str, float]


def measure(
    zoo: Zoo,
    network: str,
    granularity: Granularity,
    *,
    calibration_samples: int = DEFAULT_SAMPLES,
    validation_samples: int | None = None,
    target: str = ANALYSIS_TARGET,
    options: QuantizeOptions = REPAIRS["default"],
) -> Row:
    """Quantize one network, run its three variants over validation samples (None: all), and compare.

    The plan is made for `target`, by what layers cost there; programs run on this machine. `options` say the rest.
    """
    model = Model.load(zoo.model(network))
    calibration = SampleSet.open(zoo.samples(network, "calib", calibration_samples), model.inputs)
    quantized = quantize(model, calibration, replace(options, weights=granularity, target=target))
    with tempfile.TemporaryDirectory() as folder:
        summary: dict[str, Any] = save(quantized, Path(folder) / "out", source=zoo.model(network).name)
        variants = Variants(Artifacts.open(Path(folder) / "out"), target=ANALYSIS_TARGET)
        validation = SampleSet.open(zoo.samples(network, "val", validation_samples), model.inputs)
        evaluation = evaluate(variants, validation, VARIANTS, keep_outputs=True)
        plain = time_runs(variants.load("fp32"), calibration)
    seconds = quantized.seconds
    return Row(
        network=network,
        granularity=granularity,
        metric=zoo.metric(network),
        scores={
            variant: zoo.score(network, outputs.astype(np.float32), validation_samples)
            for variant, outputs in evaluation.outputs.items()
        },
        output_sqnr_db=output_sqnrs(evaluation),
        predicted_sqnr_db=NoiseModel.of(quantized.sensitivity).sqnr_db(
            layer.name for layer in quantized.sensitivity.layers
        ),
        signal_share=quantized.sensitivity.signal_share,
        int8_mac_share=summary["totals"]["int8_mac_share"],
        fp32_layers=fp32_layers(quantized),
        analysis_ratio=(seconds["run_fp32"] + seconds["run_int8"]) / plain,
        inference_runs=summary["inference_runs"],
        timings_s=summary["timings_s"],
    )


def time_runs(program: Program, samples: SampleSet) -> float:
    """Seconds that a program takes for all samples, once warm."""
    runs = list(samples)
    for run in runs[:WARM_UP_RUNS]:
        program(*run)
    start = time.perf_counter()
    for run in runs:
        program(*run)
    return time.perf_counter() - start


def output_sqnrs(evaluation: Evaluation) -> dict[str, float | None]:
    """By variant, fp32 itself left out; None where outputs are equal to fp32's."""
    found = {variant: score["output_sqnr_db"] for variant, score in evaluation.scores.items() if variant != "fp32"}
    return {variant: value if isinstance(value, float) else None for variant, value in found.items()}


def fp32_layers(quantized: Quantization) -> list[str]:
    """The layers that are fp32 although they could be int8 and do not just follow their neighbours."""
    precision = quantized.mixed.precision
    return [layer.name for layer in quantized.model.layers if layer.decides and precision[layer.name] == "fp32"]


def print_rows(rows: Sequence[Row]) -> None:
    """The table."""
    shown = Table(title="Model zoo")
    shown.add_column("network")
    shown.add_column("weights")
    for title in ("fp32", "int8", "mixed", "int8 dB", "mixed dB", "int8 MACs", "fp32 layers", "ratio"):
        shown.add_column(title, justify="right")
    for title in ("run 1", "run 2", "compiling"):
        shown.add_column(f"{title} s", justify="right")
    for row in rows:
        seconds = row.timings_s
        shown.add_row(
            row.network,
            row.granularity,
            *(number(row.scores[variant], 3) for variant in VARIANTS),
            *(number(row.output_sqnr_db[variant], 1) for variant in ("int8", "mixed")),
            f"{100 * row.int8_mac_share:.1f} %",
            str(len(row.fp32_layers)),
            f"{row.analysis_ratio:.1f}",
            *(f"{seconds[stage]:.2f}" for stage in ("run_fp32", "run_int8")),
            f"{sum(value for stage, value in seconds.items() if stage.startswith('compile_')):.1f}",
        )
    console = Console()
    (console if console.is_terminal else Console(width=FILE_WIDTH)).print(shown)


def markdown(rows: Sequence[Row]) -> str:
    """The table of a page."""
    head = ["network", "weights", *VARIANTS, "int8 dB", "mixed dB", "MACs in int8", "layers in fp32"]
    body = (
        [
            row.network,
            row.granularity,
            *(score(row.scores[variant]) for variant in VARIANTS),
            *(number(row.output_sqnr_db[variant], 1) for variant in ("int8", "mixed")),
            f"{100 * row.int8_mac_share:.0f} %",
            str(len(row.fp32_layers)),
        ]
        for row in rows
    )
    return table(head, body) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--networks", default="all", help="names, separated by commas (default: all)")
    parser.add_argument("--granularity", default=",".join(GRANULARITIES), help="per-channel, per-tensor or both")
    parser.add_argument("--repairs", choices=REPAIRS, default="default", help="bias: its correction alone")
    parser.add_argument("--calibration-samples", type=int, default=DEFAULT_SAMPLES)
    parser.add_argument("--validation-samples", type=int, help="default: all")
    parser.add_argument("--json", type=Path, help="write the rows there too, after each network")
    parser.add_argument("--markdown", type=Path, help="write the table there too")
    arguments = parser.parse_args()
    try:
        zoo = Zoo.find()
        networks = chosen(arguments.networks, zoo.names)
        wanted = chosen(arguments.granularity, GRANULARITIES)
    except (FileNotFoundError, ValueError) as error:
        parser.error(str(error))
    rows: list[Row] = []
    for network in networks:
        for granularity in GRANULARITIES:
            if granularity not in wanted:
                continue
            row = measure(
                zoo,
                network,
                granularity,
                calibration_samples=arguments.calibration_samples,
                validation_samples=arguments.validation_samples,
                options=REPAIRS[arguments.repairs],
            )
            rows.append(row)
            if arguments.json:
                arguments.json.write_text(json.dumps([asdict(row) for row in rows], indent=1) + "\n")
    print_rows(rows)
    if arguments.markdown:
        arguments.markdown.write_text(markdown(rows))


if __name__ == "__main__":
    main()
