"""The verdict: what was measured before what was predicted."""

from __future__ import annotations

from dataclasses import replace

from quantune_mlir.report import commands, verdict
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


def test_commands_can_be_pasted() -> None:
    summary = run("my net.onnx", hostile=False).summary
    again = "quantune quantize 'my net.onnx' --calibration layer0"
    assert commands.repeated(summary) == f"{again} --output DIR"
    assert commands.choosing(summary, ("--min-sqnr", "22")) == f"{again} --min-sqnr 22 --output DIR"
