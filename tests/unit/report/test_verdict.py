"""The verdict: what was measured before what was predicted."""

from __future__ import annotations

from dataclasses import replace

from quantune_mlir.cli.outcome import outcome
from quantune_mlir.report import commands, verdict
from quantune_mlir.report.run import Run
from quantune_mlir.report.summary_file import MeasuredPart
from tests.unit.report.runs import run


def test_what_was_measured_comes_first() -> None:
    assert verdict.line(run(hostile=False)) == (
        "20.0 % of the multiply-accumulates in int8; top-1 87.5 % (fp32 87.5 %, int8 87.5 %); "
        "worst part of the outputs 8.5 dB (int8 throughout 8.5 dB); latency 3.5 ms (fp32 1.5 ms, int8 2.5 ms); "
        "program 2.0 KiB (with fp32 weights 3.9 KiB)."
    )


def test_predictions_say_that_they_are() -> None:
    line = verdict.line(run(hostile=False, measured=False))
    assert "worst part of the outputs 8.0 dB (int8 throughout 20.0 dB predicted)" in line
    assert "predicted to take 33.3 % of fp32's time (int8 throughout 25.0 %)" in line
    assert "top-1" not in line


def test_noise_that_was_not_verified_is_called_predicted() -> None:
    known = run(hostile=False, measured=False)
    unverified = replace(known, summary=known.summary.model_copy(update={"verification": None}))
    line = verdict.line(unverified)
    assert "worst part of the outputs 22.0 dB predicted (int8 throughout 20.0 dB predicted)" in line


def test_doubtful_parts_are_marked() -> None:
    (part,) = verdict.parts(run())
    assert part.doubtful


def test_what_is_not_judged_comes_last_and_is_not_the_worst() -> None:
    known = run(hostile=False, measured=False)
    verification = known.summary.verification
    assert verification is not None
    (part,) = verification.parts
    places = part.model_copy(update={"name": "places", "judged": False, "measured_sqnr_db": 2.0})

    def verified(*parts: MeasuredPart) -> Run:
        found = verification.model_copy(update={"parts": parts})
        return replace(known, summary=known.summary.model_copy(update={"verification": found}))

    both = verified(places, part)
    assert [(each.name, each.doubtful) for each in verdict.parts(both)] == [("layer0", True), ("places", False)]
    assert verdict.verified_db(both) == 8.0
    assert "places (not judged)" in "\n".join(outcome(both))
    assert "22.0 dB predicted" in verdict.line(verified(places))


def test_commands_can_be_pasted() -> None:
    summary = run("my net.onnx", hostile=False).summary
    again = "quantune quantize 'my net.onnx' --calibration layer0"
    assert commands.repeated(summary) == f"{again} --output DIR"
    assert commands.choosing(summary, ("--min-sqnr", "22")) == f"{again} --min-sqnr 22 --output DIR"
