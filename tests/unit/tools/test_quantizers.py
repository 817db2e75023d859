from __future__ import annotations

import json
import math
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tools.quantizers import __main__ as command_line
from tools.quantizers import measure
from tools.quantizers.cases import OURS, REFERENCE, Case, all_cases, matching, nncf, onnxruntime_static, ours
from tools.quantizers.columns import MIXED, NNCF_DEFAULT, STATIC, against
from tools.quantizers.data import Data, prepared
from tools.quantizers.goals import everything, in_turns, ratios, with_analysis_programs, work
from tools.quantizers.launch import Limits, Step, StepFailed, last_error
from tools.quantizers.openvino_nncf import Validation
from tools.quantizers.report import markdown
from tools.quantizers.results import Results, row_path
from tools.quantizers.scores import Paired, centred_log_probabilities, centred_logits, sqnr_db

DIGITS = "digits"


def digits(folder: Path) -> Data:
    return prepared(None, DIGITS, folder)


def row(network: str, case: Case, right: list[int], **more: Any) -> dict[str, Any]:
    """A row whose samples in `right` are those that fp32, right in [0, 1, 2], gets right or wrong otherwise."""
    lost, won = sorted({0, 1, 2} - set(right)), sorted(set(right) - {0, 1, 2})
    scored = {"score": len(right) / 5, "lost": lost, "won": won, "p_value": 1.0, "answers_tied": 0, "changed": 0}
    variant = {"bytes": 2048, "sqnr_db": 30.0, **scored}
    details = {"int8_mac_share": 0.97, "fp32_layers": ["head"]} if case.quantizer == OURS else {}
    seconds = {"run 1": 1.0, "compile run 1": 4.0, "plan": 0.5, "compile mixed": 2.0}
    return {
        "network": network,
        "metric": "top1",
        "case": case.name,
        "failures": {},
        "load_before": 0.1,
        "calibration_samples": 100,
        "seconds": seconds,
        "cpu_seconds": {stage: value / 2 for stage, value in seconds.items()},
        "peak_kib": 1024,
        "tree_peak_kib": 4096,
        "details": details,
        "variants": dict.fromkeys(("fp32", "int8", "mixed") if case.quantizer == OURS else ("int8",), variant),
        **more,
    }


def results(folder: Path, *rows: dict[str, Any]) -> Results:
    (folder / "machine.json").write_text(json.dumps({"cpu": "a CPU", "versions": {"nncf": "1.0"}}))
    for written in rows:
        measure.write_row(row_path(folder, written["network"], Case(written["case"])), written)
    return Results(folder)


def test_mcnemar_of_unequal_and_equal_changes() -> None:
    assert Paired(list(range(9)), [9]).p_value == pytest.approx(2 * 11 / 1024)
    assert Paired([1], [2]).p_value == 1.0
    assert Paired([], []).p_value == 1.0


def test_paired_samples_are_named() -> None:
    paired = Paired.of(before=[0, 1, 2, 3], after=[0, 5, 2, 4], labels=[0, 1, 9, 4])

    assert (paired.lost, paired.won) == ([1], [3])


def test_logits_and_probabilities_compare_alike() -> None:
    logits = np.array([[3.0, -1.0, 0.5], [10.0, 9.0, -4.0]], np.float32)
    exponentials = np.exp(logits.astype(np.float64))
    probabilities = exponentials / exponentials.sum(axis=1, keepdims=True)

    assert centred_log_probabilities(probabilities) == pytest.approx(centred_logits(logits + 7), abs=1e-5)


def test_sqnr_is_in_decibels_and_undefined_without_error() -> None:
    signal = np.array([[3.0, 4.0]], np.float32)

    assert sqnr_db(signal, np.array([[3.0, 3.5]], np.float32)) == pytest.approx(20.0)
    assert sqnr_db(signal, signal) is None


def test_cases_are_chosen_by_pattern_and_the_reference_comes_along() -> None:
    found = [case.name for case in matching(["nncf/*", "ours/per-tensor/symmetric"])]

    assert found == [REFERENCE, "nncf/default", "nncf/accuracy-control", "ours/per-tensor/symmetric"]
    assert len({case.file_stem for case in all_cases()}) == len(all_cases())


def test_unknown_case_is_refused() -> None:
    with pytest.raises(ValueError, match="no case matches 'nnfc"):
        matching(["nnfc/*"])


def test_samples_are_read_one_by_one(tmp_path: Path) -> None:
    data = digits(tmp_path / DIGITS)
    samples = data.samples("calib", 7)
    whole = np.load(data.directory / "calib" / "input.npy")

    assert len(samples) == 7 and len(data.samples("val")) == 400
    assert samples[5].shape == (1, 1, 8, 8)
    assert np.array_equal(np.concatenate(list(samples)), whole[:7])
    assert Data.open(data.directory) == data


def test_other_data_than_the_sample_network_needs_the_zoo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QUANTUNE_ZOO", str(tmp_path))
    monkeypatch.setattr(sys, "argv", ["quantizers", "run", "--json", str(tmp_path), "--networks", "kws_dscnn"])

    with pytest.raises(SystemExit):
        command_line.main()


def test_validation_prefers_labels_and_falls_back_to_agreement(tmp_path: Path) -> None:
    data = digits(tmp_path / DIGITS)
    output = np.eye(10, dtype=np.float32)
    agreeing = Validation(data, samples=2)

    assert agreeing.score(lambda _: [output[3:4]], [0, 1]) == (1.0, [1.0, 1.0])
    assert agreeing.score(lambda _: [output[4:5]], [0, 1]) == (0.0, [0.0, 0.0])
    assert (agreeing.measure, agreeing.calls) == ("agreement", 2)
    np.save(data.directory / "calib" / "labels.npy", np.array([4, 3]))
    assert Validation(data, samples=2).score(lambda _: [output[4:5]], [0, 1]) == (0.5, [1.0, 0.0])


def test_against_another_quantizer() -> None:
    ours_, theirs = row("net", ours("per-channel"), [0, 1, 3]), row("net", nncf("default"), [0, 2, 4])
    paired = against(ours_["variants"]["mixed"], theirs["variants"]["int8"])

    assert (paired.lost, paired.won) == ([2, 4], [1, 3])


def test_times_are_split_into_work_and_compiling() -> None:
    measured = row("net", ours("per-channel"), [0, 1, 2])

    assert (work(measured), with_analysis_programs(measured), everything(measured)) == (1.5, 5.5, 7.5)
    assert work(measured, "cpu_seconds") == 0.75


def test_ratios_need_as_many_samples(tmp_path: Path) -> None:
    entropy = onnxruntime_static("entropy", "per-channel")
    found = results(
        tmp_path,
        row("same", ours("per-channel"), [0], seconds={"run 1": 1.0}),
        row("same", entropy, [0], seconds={"quantize": 4.0}),
        row("fewer", ours("per-channel"), [0]),
        row("fewer", entropy, [0], calibration_samples=25),
    )

    assert ratios(found, MIXED["per-channel"], STATIC["entropy", "per-channel"], work) == {"same": 0.25}


def test_report_shows_what_was_measured_and_what_failed(tmp_path: Path) -> None:
    failed = {"network": "net", "metric": "top1", "case": "nncf/default", "failures": {"100": "boom"}, "load_before": 0}
    latency = {"targets": {"host": {"net": {"latency": {"mixed": {"median_ms": 1.5}}}}}}
    text = markdown(results(tmp_path, row("net", ours("per-channel"), [0, 1, 3]), failed), latency)

    assert "| net | +1 −1 | +1 −1 |" in text
    assert "| net | 97.0 % | 1: head |" in text
    assert "- net, nncf/default, 100 samples: boom" in text
    assert "| net | 1 (4) |" in text
    assert "| net | 1.500 |" in text


def test_failing_case_is_tried_with_fewer_samples(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []

    def fail(limits: Limits, *arguments: object) -> None:
        asked.append(arguments[-1])
        raise StepFailed("out of memory")

    monkeypatch.setattr(measure, "run_worker", fail)
    row_ = measure.measured(
        Case("onnxruntime/entropy/per-tensor"),
        digits(tmp_path / DIGITS),
        tmp_path / "made" / "case",
        Limits(0, 1, 1),
        100,
        lambda _: None,
    )

    assert asked == [100, 25, 10]
    assert row_["failures"] == dict.fromkeys(("100", "25", "10"), "out of memory")
    assert "variants" not in row_


def test_variant_that_cannot_be_run_is_not_quantized_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail_to_run(limits: Limits, step: str, case: str, data: Path, directory: Path, last: object) -> Step:
        if step == "run":
            raise StepFailed("not enough registers")
        (directory / "quantized.json").write_text(json.dumps({"variants": ["int8"]}))
        return Step(1.0, 1024)

    monkeypatch.setattr(measure, "run_worker", fail_to_run)
    data = digits(tmp_path / DIGITS)
    found = measure.measured(nncf("default"), data, tmp_path / "made" / "case", Limits(0, 1, 1), 100, lambda _: None)

    assert found["failures"] == {"100": "cannot be run: not enough registers"}
    assert "variants" not in found


def test_error_of_a_worker_is_found_in_its_traceback() -> None:
    traceback = "Collecting\nTraceback (most recent call last):\n  File x\npackage.SomeError: 1 error\nfield\n  NaN\n"

    assert last_error(traceback) == "package.SomeError: 1 error field NaN"
    assert last_error("Killed by\nthe system\n") == "the system"
    assert last_error("") == ""


@pytest.mark.parametrize(("slept", "kept"), [(1.0, 0.5), (9.0, 1.5)])
def test_of_two_passes_the_quicker_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, slept: float, kept: float
) -> None:
    seconds = {"plan": 0.5 * slept, "compile run 1": 99.0}

    def again(limits: Limits, step: str, case: str, data: Path, directory: Path, count: object) -> Step:
        assert count == 100
        found = {"seconds": seconds, "cpu_seconds": seconds, "peak_kib": 512}
        (directory / "quantized.json").write_text(json.dumps(found))
        return Step(1.0, 1024)

    monkeypatch.setattr(measure, "run_worker", again)
    first = row("net", nncf("default"), [0])
    data, limits = digits(tmp_path / DIGITS), Limits(0, 1, 1)
    found = measure.timed_again(first, nncf("default"), data, tmp_path / "again", limits, "noon")

    assert measure.seconds(found, compiling=False) == kept
    assert (found["passes"], found["peak_kib"], found["tree_peak_kib"]) == (2, 512, 1024)
    assert found["turns"] == {"noon": {"seconds": 0.5 * slept, "cpu_seconds": 0.5 * slept}}
    assert "nncf/default (2)" in markdown(results(tmp_path, found))


def test_work_is_compared_within_passes(tmp_path: Path) -> None:
    def timed(case: Case, **turns: float) -> dict[str, Any]:
        noted = {turn: {"seconds": time, "cpu_seconds": 2 * time} for turn, time in turns.items()}
        return row("net", case, [0]) | {"turns": noted}

    mixed, static = MIXED["per-channel"], STATIC["entropy", "per-channel"]
    ours_ = timed(mixed.case, dawn=9.0, noon=1.0, dusk=4.0, night=3.0)
    found = results(
        tmp_path, ours_, timed(static.case, noon=2.0, dusk=5.0, night=3.0), row("net", nncf("default"), [0])
    )

    assert in_turns(found, mixed, static) == {"net": 0.8}
    assert in_turns(found, mixed, static, "cpu_seconds") == {"net": 0.8}
    assert in_turns(found, mixed, NNCF_DEFAULT) == ratios(found, mixed, NNCF_DEFAULT, work)


@pytest.mark.slow
def test_sample_network_through_the_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("onnxruntime")
    arguments = ["--networks", DIGITS, "--cases", "ours/per-channel/asymmetric,onnxruntime/minmax/per-channel"]
    monkeypatch.setattr(sys, "argv", ["quantizers", "run", "--json", str(tmp_path), "--samples", "20", *arguments])
    command_line.main()
    found = Results(tmp_path)
    mixed = found.variant(DIGITS, ours("per-channel"), "mixed")
    static = found.variant(DIGITS, onnxruntime_static("minmax", "per-channel"), "int8")
    fp32 = found.variant(DIGITS, ours("per-channel"), "fp32")

    assert mixed is not None and static is not None and fp32 is not None
    assert fp32["sqnr_db"] > 100 and fp32["changed"] == 0
    assert mixed["sqnr_db"] > 25 and static["sqnr_db"] > 25
    assert len(mixed["predictions"]) == 400
    assert not math.isnan(mixed["p_value"])
    before = row_path(tmp_path, DIGITS, ours("per-channel")).stat().st_mtime_ns
    command_line.main()
    assert row_path(tmp_path, DIGITS, ours("per-channel")).stat().st_mtime_ns == before


@pytest.mark.slow
def test_sample_network_through_nncf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("onnxruntime")
    pytest.importorskip("nncf")
    pytest.importorskip("openvino")
    arguments = ["run", "--json", str(tmp_path), "--networks", DIGITS, "--cases", "nncf/accuracy-control"]
    monkeypatch.setattr(sys, "argv", ["quantizers", *arguments])
    command_line.main()
    found = Results(tmp_path).row(DIGITS, nncf("accuracy-control"))

    assert found is not None
    assert found["details"]["validated_on"] == "agreement"
    assert found["details"]["validations"] >= 2
    assert found["variants"]["int8"]["score"] > 0.9
