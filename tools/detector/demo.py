"""What quantization makes of the sample detector: the last step of `make demo`.

    python -m tools.detector.demo DIR --picture FILE.svg

DIR is what `quantune quantize` made of tests/data/detector.onnx. Printed is what `quantune evaluate DIR --data
tests/data/detector_test.npz --score tools/detector/detections.py` and `quantune bench DIR` measure, in one table.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Final

import numpy as np

from quantune_mlir.samples.sample_set import SampleSet
from quantune_mlir.workflow.artifacts import Artifacts
from quantune_mlir.workflow.comparison import compare
from quantune_mlir.workflow.evaluation import Evaluation, evaluate
from quantune_mlir.workflow.scoring import Scorer
from quantune_mlir.workflow.variant import VARIANTS
from quantune_mlir.workflow.variants import Variants
from tools.detector.detections import Array, Count, Detections
from tools.detector.picture import picture

TEST: Final = Path(__file__).resolve().parents[2] / "tests" / "data" / "detector_test.npz"
SCORE: Final = Path(__file__).with_name("detections.py")
REPORT: Final = "report.html"
_SECONDS: Final = 2.0


def table(variants: Variants, evaluation: Evaluation, labels: Array) -> str:
    """What each variant finds, how noisy each part of its output is, how long it takes and how large it is."""
    counts = [Count.of(evaluation.outputs[variant], labels) for variant in VARIANTS]
    latencies = compare(variants, seconds=_SECONDS)
    noise = zip(*(evaluation.scores[variant]["parts"] for variant in VARIANTS), strict=True)
    rows = {
        "": list(VARIANTS),
        f"digits found, of {counts[0].digits}": [str(count.found) for count in counts],
        "wrong boxes": [str(count.false) for count in counts],
        **{f"{parts[0]['name']}, SQNR in dB": [_decibels(part["sqnr_db"]) for part in parts] for parts in noise},
        "latency in ms, one thread": [f"{latencies.latency(variant).median_ms:.3f}" for variant in VARIANTS],
        "program in KiB": [f"{variants.compiled(variant).stat().st_size / 1024:.0f}" for variant in VARIANTS],
    }
    width = max(map(len, rows))
    return "\n".join("  ".join([name.ljust(width), *map("{:>7}".format, values)]) for name, values in rows.items())


def _decibels(value: float | str) -> str:
    return "-" if np.isinf(float(value)) else f"{float(value):.1f}"


def clearest(int8: Array, mixed: Array, labels: Array) -> int:
    """The canvas on which int8 finds least of what mixed does."""

    def found(outputs: Array) -> Array:
        return np.array([Detections.of(output).right(rows).sum() for output, rows in zip(outputs, labels, strict=True)])

    return int(np.argmax(found(mixed) - found(int8)))


def main() -> None:
    parser = argparse.ArgumentParser(description="Compare what fp32, int8 and mixed find.")
    parser.add_argument("directory", type=Path, help="what `quantune quantize` wrote")
    parser.add_argument("--picture", type=Path, required=True, help="an SVG to write, of one canvas and its boxes")
    given = parser.parse_args()
    artifacts = Artifacts.open(given.directory)
    variants = Variants(artifacts)
    samples = SampleSet.open(TEST, variants.model.inputs)
    labels = samples.labels
    assert labels is not None, "the test canvases have labels"
    evaluation = evaluate(variants, samples, VARIANTS, scorer=Scorer.load(SCORE), keep_outputs=True)
    print(table(variants, evaluation, labels))
    shown = clearest(evaluation.outputs["int8"], evaluation.outputs["mixed"], labels)
    image = next(iter(samples.only([shown])))[0][0, 0]
    outputs = {variant: evaluation.outputs[variant][shown] for variant in VARIANTS}
    given.picture.write_text(picture(image, outputs, labels[shown]), encoding="utf-8")
    print(f"\na canvas with the boxes of all three: {given.picture}")
    if artifacts[REPORT].is_file():
        print(f"all that was measured, layer by layer: {artifacts[REPORT]}")


if __name__ == "__main__":
    main()
