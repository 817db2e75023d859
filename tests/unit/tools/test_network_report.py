from __future__ import annotations

from typing import Any

import pytest

from tools.network_report import Goal, geometric_mean, goals, int8_over_fp32, markdown, memory, ratios


def spread(median: float) -> dict[str, float]:
    return {"median": median, "p10": median / 2, "p90": median * 2}


def row(int8_share: float, *, macs: int = 20_000_000, peer: str = "onnxruntime-int8") -> dict[str, Any]:
    """A network whose int8 takes `int8_share` of the peer's time."""
    latency = {"median_ms": 1.0, "p10_ms": 0.9, "p90_ms": 1.1, "runs": 20}
    ours = {name: latency | {"against": {peer: spread(int8_share)}} for name in ("fp32", "int8", "mixed")}
    return {
        "macs": macs,
        "load_before": 0.0,
        "latency": ours | {peer: latency},
        "int8_over_fp32": spread(0.5),
        "absent": {"iree": "iree: cannot\n  compile"},
        "bytes": {"fp32": 4096, "int8": 1024, "mixed": 1024, peer: 2048},
        "peak_rss": {
            "int8": {"before_kib": 1024, "peak_kib": 3072},
            "onnxruntime-int8": {"before_kib": 1024, "peak_kib": 5120},
        },
        "scaling": None,
    }


def found(rows: dict[str, Any], name: str, summary: str = "geometric mean", target: str = "host") -> Goal:
    (goal,) = [goal for goal in goals({target: rows}) if (goal.name, goal.summary) == (name, summary)]
    return goal


def test_geometric_mean() -> None:
    assert geometric_mean([0.5, 2.0, 8.0]) == pytest.approx(2.0)


def test_goals_against_a_peer() -> None:
    rows = {"a": row(0.25), "b": row(1.0)}
    mean = found(rows, "int8 time over ONNX Runtime int8's")
    assert mean.reached == pytest.approx(0.5) and mean.met
    largest = found(rows, "int8 time over ONNX Runtime int8's", "largest")
    assert largest.reached == 1.0 and largest.met
    rows["b"] = row(1.01)
    assert not found(rows, "int8 time over ONNX Runtime int8's", "largest").met


def test_a_network_where_the_peer_is_absent_does_not_count() -> None:
    rows = {"a": row(0.25), "b": row(0.5, peer="openvino-int8")}
    assert ratios(rows, "int8", "onnxruntime-int8") == {"a": 0.25}


def test_small_networks_do_not_count_where_int8_is_compared_with_fp32() -> None:
    rows = {"small": row(1.0, macs=9_999_999), "large": row(1.0)}
    assert int8_over_fp32(rows, least_macs=10_000_000) == {"large": 0.5}
    goal = found(rows, "int8 quicker than fp32, times, from 10 MMAC")
    assert goal.reached == pytest.approx(2.0) and not goal.met


def test_targets_are_kept_apart() -> None:
    rows = {"a": row(1.0)}
    assert found(rows, "AVX2: int8 quicker than fp32, times", target="x86-64-avx2").reached == pytest.approx(2.0)
    assert found(rows, "AVX2: int8 quicker than fp32, times").met is None


def test_memory_leaves_python_out() -> None:
    assert memory({"a": row(1.0)}, "int8", "onnxruntime-int8") == {"a": 0.5}


def test_markdown() -> None:
    results = {"machine": {"cpu": "Some CPU", "versions": {"nncf": None}}, "targets": {"host": {"a": row(0.25)}}}
    text = markdown(results)
    assert "| int8 time over ONNX Runtime int8's | geometric mean | ≤ 0.55 | 0.25 | yes | a 0.25 |" in text
    assert "0.25 (0.12–0.50)" in text or "0.25 (0.13–0.50)" in text
    assert "- a, iree: iree: cannot compile" in text
    widths = {line.count("|") for line in text.splitlines() if line.startswith(("| network", "| a"))}
    assert len(widths) == 2, "head and rows of each table have the same columns"
