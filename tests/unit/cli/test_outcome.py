"""What `quantune quantize` says in the end."""

from __future__ import annotations

from typing import Any

from quantune_mlir.cli.outcome import WIDTH, outcome
from quantune_mlir.report.run import Run
from quantune_mlir.report.summary_file import Summary


def layer(name: str, precision: str, macs: int) -> dict[str, Any]:
    return {"name": name, "op": "Conv", "precision": precision, "macs": macs, "weight_bytes": 4}


def run(*layers: dict[str, Any], parts: int = 1, lower_db: float = 1.0) -> Run:
    amount = {"time": 100.0, "bytes": 2048.0}
    measured = [
        {
            "name": f"out[{place}]",
            "output": "out",
            "signal": "itself",
            "measured_sqnr_db": 40.0 - place,
            "likely_sqnr_db": 40.0 - place - lower_db,
            "predicted_sqnr_db": None,
            "whole_sqnr_db": None,
        }
        for place in range(parts)
    ]
    summary = Summary.model_validate(
        {
            "format": 3,
            "versions": {},
            "model": {},
            "options": {},
            "inference_runs": {"samples": 9, "int8_samples": 4},
            "timings_s": {"compile_mixed": 2.0, "run_int8": 1.0},
            "predicted": [{"layer": "x", "int8_sqnr_db": 5.0, "mixed_sqnr_db": 30.0}],
            "verification": {"samples": 2, "parts": measured},
            "costs": {"unit": "cycles", "int8": {"time": 50.0, "bytes": 1024.0}, "mixed": amount, "fp32": amount},
            "layers": list(layers),
            "totals": {
                "fp32_program_bytes": 4096,
                "mixed_program_bytes": 2048,
                "macs": 1000,
                "int8_mac_share": 0.5,
                "int8_layers": 1,
                "layers": len(layers),
            },
        }
    )
    return Run("net.onnx", summary, None)


def test_what_matters_comes_first() -> None:
    lines = list(outcome(run(layer("a", "int8", 500), layer("b", "fp32", 500))))
    assert lines[:2] == ["net.onnx", "50.0 % of 1 k multiply-accumulates in int8, 1 of 2 layers"]
    assert lines[4].split() == ["noise,", "worst", "part:", "SQNR", "exact", "5.0", "dB", "predicted", "40.0", "dB"]
    assert "kept in fp32: b" in lines
    assert lines[-1] == "9 samples, int8 over 4, verified over 2; 3.00 s, compiling 2.00 s"


def test_the_noisiest_parts_come_first_and_few_are_shown() -> None:
    lines = list(outcome(run(layer("a", "int8", 500), parts=12)))
    shown = [line.split()[0] for line in lines if line.startswith("out[")]
    assert shown == [f"out[{place}]" for place in range(11, 3, -1)]
    assert "and 4 parts with less noise" in lines


def test_what_other_samples_may_have_is_shown_where_noise_is_uneven() -> None:
    even, uneven = (list(outcome(run(layer("a", "int8", 500), lower_db=lower))) for lower in (1.0, 9.5))
    assert not any("on others" in line for line in even)
    (title,) = (line for line in uneven if line.startswith("noise of the outputs"))
    assert title.split()[-4:] == ["measured", "on", "others", "predicted"]
    assert next(line for line in uneven if line.startswith("out[")).split()[1:6] == ["40.0", "dB", ">", "30.5", "dB"]
    assert max(map(len, uneven)) <= WIDTH


def test_it_fits_80_columns_whatever_layers_are_called() -> None:
    long = [layer(f"model/backbone/stage{place}/block/depthwise/conv", "fp32", 100 + place) for place in range(9)]
    lines = list(outcome(run(layer("a", "int8", 500), *long)))
    assert max(map(len, lines)) <= WIDTH
    assert "kept in fp32: model/backbone/stage8/block/depthwise/conv and 8 more" in lines


def test_what_is_kept_for_its_noise_is_named_before_what_has_most_work() -> None:
    noisy = layer("exp", "fp32", 0) | {"decision": {"ground": "buys", "rank": 2}}
    noisiest = layer("log", "fp32", 0) | {"decision": {"ground": "buys", "rank": 1}}
    beside = layer("add", "fp32", 0) | {"decision": {"ground": "neighbour"}}
    lines = list(outcome(run(layer("a", "fp32", 500), noisy, beside, layer("b", "fp32", 600), noisiest)))
    assert "kept in fp32: log, exp, b and 1 more" in lines
