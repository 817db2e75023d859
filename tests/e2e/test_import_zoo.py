"""Every real network gives, imported and compiled, what ONNX Runtime gives."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pytest

from quantune_mlir.importers.onnx import import_onnx
from tests.onnx_models import reference
from tests.support import call, compile_module, load_program

pytestmark = [pytest.mark.zoo, pytest.mark.slow]

NETWORKS = [
    "resnet8_cifar10",
    "resnet20_cifar10",
    "resnet32_cifar10",
    "mobilenetv2s_cifar10",
    "kws_dscnn",
    "ad_autoencoder",
    "vww_mobilenetv1_025",
    "squeezenet11_imagenet",
    "tiny_darknet_imagenet",
    "mobilenet_v1_025_imagenet",
    "mobilenet_v2_100_imagenet_dq",
]


def test_all_networks_are_tried(zoo: Path) -> None:
    assert sorted(json.loads((zoo / "MANIFEST.json").read_text())["models"]) == sorted(NETWORKS)


@pytest.mark.parametrize("name", NETWORKS)
def test_network_agrees_with_onnxruntime(zoo: Path, name: str) -> None:
    path = zoo / "models" / f"{name}.onnx"
    program = load_program(compile_module(import_onnx(path)))
    entry = json.loads((zoo / "MANIFEST.json").read_text())["models"][name]["input"]
    rng = np.random.default_rng(0)
    for _ in range(2):
        x = rng.standard_normal(entry["shape"], np.float32)
        (wanted,) = reference(onnx.load(path), {entry["name"]: x})
        (got,) = call(program, "main", (x,))
        assert got.shape == wanted.shape
        assert np.abs(got - wanted).max() <= 1e-4 * np.abs(wanted).max()
