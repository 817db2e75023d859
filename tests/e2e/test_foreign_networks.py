"""Networks of other makers than ONNX's exporters, from what they are in to a program: TOSA in MLIR, PyTorch modules."""

from __future__ import annotations

import re
from collections import OrderedDict
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

import quantune_mlir as qt
from quantune_mlir.backend.program import Program
from quantune_mlir.importers.onnx import import_onnx
from tests.e2e.conftest import Quantune
from tests.e2e.models import conv_relu, images, save_samples


def test_tosa_of_another_maker(quantune: Quantune, tmp_path: Path) -> None:
    """What is left of our own without its names stands for it."""
    foreign, made = tmp_path / "foreign.mlir", tmp_path / "out"
    foreign.write_text(re.sub(r"(attributes )?\{quantune[^}]*\}", "", str(import_onnx(conv_relu()))))
    samples = save_samples(tmp_path / "samples.npz", input0=images(20))
    done = quantune("quantize", foreign, "--calibration", samples, "--no-verify", "--output", made)
    assert done.status == 0, done.stderr
    assert re.findall(r"name: (\w+)", (made / "plan.yaml").read_text()) == ["conv2d_0"]
    x = images(1)
    session = onnxruntime.InferenceSession(conv_relu().SerializeToString(), providers=["CPUExecutionProvider"])
    (got,), (wanted,) = Program((made / "model.vmfb").read_bytes())(x), session.run(None, {"x": x})
    np.testing.assert_allclose(got, wanted, atol=np.abs(wanted).max() / 50)


def test_a_pytorch_module() -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    pytest.importorskip("onnxscript", reason="PyTorch's exporter is not installed")
    torch.manual_seed(0)
    parts = {"conv": torch.nn.Conv2d(2, 4, 3), "norm": torch.nn.BatchNorm2d(4), "relu": torch.nn.ReLU()}
    head = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(4 * 4 * 4, 5))
    network = torch.nn.Sequential(OrderedDict({**parts, "head": head})).eval()
    x = images(20, (2, 6, 6))
    model = qt.from_torch(network, torch.from_numpy(x[:1]), input_names=["image"])
    assert [layer.name for layer in model.layers] == ["conv", "relu", "head.1"]
    result = qt.quantize(model, qt.SampleSet.open({"image": x}, model.inputs), verify=False)
    (got,), wanted = result.program()(x[:1]), network(torch.from_numpy(x[:1])).detach().numpy()
    np.testing.assert_allclose(got, wanted, atol=np.abs(wanted).max() / 20)
