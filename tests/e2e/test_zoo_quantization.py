"""Real networks, quantized with default options: what int8 costs, and what mixed precision wins back."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from math import log10
from pathlib import Path

import pytest

from quantune_mlir.integer.integer_options import Granularity
from tools.zoo import Zoo
from tools.zoo_table import GRANULARITIES, Row, measure

pytestmark = pytest.mark.zoo

Measure = Callable[[str, Granularity], Row]

CLASSIFIERS = ["kws_dscnn", "resnet8_cifar10"]

NARROW = "mobilenetv2s_cifar10"

PEER_TOP1 = {"kws_dscnn": 0.917, "resnet8_cifar10": 0.886, NARROW: 0.716}
"""ONNX Runtime 1.32, quantize_static, U8S8 MinMax per channel, on the same samples."""

ALLOWED_INT8_LOSS = 0.005
ALLOWED_MIXED_LOSS = 0.007
ALLOWED_AUC_CHANGE = 0.01
ALLOWED_REPAIRED_LOSS = 0.05
ALLOWED_MIXED_PER_TENSOR_LOSS = 0.02


@pytest.fixture(scope="module")
def measured(zoo: Path) -> Measure:
    """Each network is quantized once, for a target that is named: the plan of "host" depends on this machine."""
    return cache(lambda network, granularity: measure(Zoo(zoo), network, granularity, target="x86-64-avx512vnni"))


def score(row: Row, variant: str) -> float:
    value = row.scores[variant]
    assert value is not None
    return value


@pytest.mark.parametrize("network", [*CLASSIFIERS, "ad_autoencoder"])
def test_analysis_takes_two_runs(network: str, measured: Measure) -> None:
    runs = measured(network, "per-channel").inference_runs
    assert runs == {"fp32": 1, "int8": 1, "samples": 100, "int8_samples": 40}


@pytest.mark.parametrize("network", [*CLASSIFIERS, pytest.param(NARROW, marks=pytest.mark.slow)])
def test_int8_is_as_accurate_as_the_peer(network: str, measured: Measure) -> None:
    assert score(measured(network, "per-channel"), "int8") >= PEER_TOP1[network] - ALLOWED_INT8_LOSS


@pytest.mark.parametrize(
    "network",
    [
        *CLASSIFIERS,
        pytest.param(NARROW, marks=pytest.mark.slow),
    ],
)
def test_mixed_is_as_accurate_as_fp32(network: str, measured: Measure) -> None:
    row = measured(network, "per-channel")
    assert score(row, "mixed") >= score(row, "fp32") - ALLOWED_MIXED_LOSS


@pytest.mark.parametrize("granularity", GRANULARITIES)
def test_anomalies_are_told_as_well_as_in_fp32(granularity: Granularity, measured: Measure) -> None:
    row = measured("ad_autoencoder", granularity)
    assert score(row, "mixed") >= score(row, "fp32") - ALLOWED_AUC_CHANGE


@pytest.mark.parametrize("network", ["ad_autoencoder", pytest.param(NARROW, marks=pytest.mark.slow)])
def test_predicted_noise_is_that_of_int8(network: str, measured: Measure) -> None:
    """True of networks without a closing softmax: noise is predicted before it."""
    row = measured(network, "per-channel")
    assert row.predicted_sqnr_db - 10 * log10(row.signal_share) == pytest.approx(row.output_sqnr_db["int8"], abs=3)


@pytest.mark.slow
def test_repairs_and_mixed_win_back_what_per_tensor_weights_lose(measured: Measure) -> None:
    """All-int8 without repairs is at .000."""
    row = measured("mobilenet_v1_025_imagenet", "per-tensor")
    assert score(row, "int8") >= score(row, "fp32") - ALLOWED_REPAIRED_LOSS
    assert score(row, "mixed") >= score(row, "fp32") - ALLOWED_MIXED_PER_TENSOR_LOSS
    output_sqnr = row.output_sqnr_db
    assert output_sqnr["int8"] is not None and output_sqnr["mixed"] is not None
    assert output_sqnr["mixed"] > output_sqnr["int8"]
    assert 0.6 <= row.int8_mac_share < 1
