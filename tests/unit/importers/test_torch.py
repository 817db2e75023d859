"""PyTorch: layers are called as modules are, and a module is exported and imported in one call. No PyTorch here."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import onnx
import pytest

import quantune_mlir as qt
from quantune_mlir.errors import ModelError
from quantune_mlir.importers.onnx import import_onnx
from quantune_mlir.importers.onnx.torch_scopes import module_names
from tests.onnx_models import build_model

X = np.zeros((1, 2, 4, 4), np.float32)
KEY = "pkg.torch.onnx.name_scopes"


def node(kind: str, inputs: list[str], output: str, scopes: str | None) -> onnx.NodeProto:
    made = onnx.helper.make_node(kind, inputs, [output], name=f"node_{output}")
    if scopes is not None:
        made.metadata_props.append(onnx.StringStringEntryProto(key=KEY, value=scopes))
    return made


def residual() -> onnx.ModelProto:
    """As torch.onnx writes a block of two convolutions with one rectifier used twice."""
    weights = {f"w{i}": np.full((2, 2, 1, 1), 0.5, np.float32) for i in range(2)}
    nodes = [
        node("Conv", ["x", "w0"], "a", "['', 'layer1', 'layer1.0', 'layer1.0.conv1', 'conv2d']"),
        node("Relu", ["a"], "b", "['', 'layer1', 'layer1.0', 'layer1.0.relu', 'relu']"),
        node("Conv", ["b", "w1"], "c", "['', 'layer1', 'layer1.0', 'layer1.0.conv2', 'conv2d_1']"),
        node("Add", ["c", "x"], "d", "['', 'layer1', 'layer1.0', 'add']"),
        node("Relu", ["d"], "e", "['', 'layer1', 'layer1.0', 'layer1.0.relu', 'relu_1']"),
        node("Exp", ["e"], "f", "['', 'exp']"),
    ]
    return build_model(nodes, {"x": X}, weights, ["f"])


NAMES = ["layer1.0.conv1", "layer1.0.relu", "layer1.0.conv2", "layer1.0/Add", "layer1.0.relu_1", "node_f"]


def test_layers_are_called_as_modules_are(tmp_path: Path) -> None:
    onnx.save(residual(), tmp_path / "m.onnx")
    assert [layer.name for layer in qt.Model.load(tmp_path / "m.onnx").layers] == NAMES


def test_a_convolution_with_a_folded_normalization_is_called_after_the_convolution() -> None:
    folded = node("Conv", ["x", "layer1.0.conv1.weight"], "a", "['', 'layer1', 'layer1.0', 'layer1.0.bn1', 'norm']")
    others = node("Conv", ["x", "layer1.0.conv1.weight"], "a", None)
    assert module_names([folded]) == ["layer1.0.conv1"]
    assert module_names([others]) == [""]


def test_the_parts_of_a_module_are_told_apart_by_their_kind() -> None:
    scopes = "['', 'attention', 'x']"
    nodes = [node("MatMul", [], "a", scopes), node("Softmax", [], "b", scopes), node("MatMul", [], "c", scopes)]
    assert module_names(nodes) == ["attention/MatMul", "attention/Softmax", "attention/MatMul"]


@pytest.mark.parametrize(
    "scopes",
    [None, "", "nonsense", "__import__('os')", "['']", "[1, 2]", "('a', 'b')", "['" + "a" * 20_000 + "', 'b']"],
)
def test_metadata_that_tells_nothing_is_left_aside(scopes: str | None) -> None:
    model = build_model([node("Exp", ["x"], "y", scopes)], {"x": X}, {}, ["y"])
    assert 'quantune.layer = "node_y"' in str(import_onnx(model))


class Network:
    """What stands for a torch.nn.Module."""

    training = True

    def eval(self) -> None:
        self.training = False

    def train(self, mode: bool) -> None:
        self.training = mode


def fake_torch(monkeypatch: pytest.MonkeyPatch, export: Any) -> None:
    torch, exporter = ModuleType("torch"), ModuleType("torch.onnx")
    torch.onnx, exporter.export = exporter, export  # type: ignore[attr-defined]
    torch.no_grad = lambda: np.errstate()  # type: ignore[attr-defined]  # any context manager
    for name, module in {"torch": torch, "torch.onnx": exporter, "onnxscript": ModuleType("onnxscript")}.items():
        monkeypatch.setitem(sys.modules, name, module)


def test_from_torch_exports_in_evaluation_mode_and_keeps_names(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    seen: dict[str, Any] = {}

    def export(module: Network, inputs: tuple[Any, ...], path: str, **options: Any) -> None:
        seen.update(training=module.training, inputs=inputs, **options)
        onnx.save(residual(), path)

    fake_torch(monkeypatch, export)
    network = Network()
    model = qt.from_torch(network, "example", input_names=["x"], path=tmp_path / "kept.onnx")
    assert [layer.name for layer in model.layers] == NAMES
    assert (seen["training"], seen["inputs"], seen["input_names"]) == (False, ("example",), ["x"])
    assert network.training
    assert (tmp_path / "kept.onnx").exists()
    assert [layer.name for layer in qt.from_torch(network, ("a",), outputs=["a"]).layers] == ["layer1.0.conv1"]


def test_what_pytorch_cannot_export_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def export(*arguments: Any, **options: Any) -> None:
        raise RuntimeError("data-dependent\nlong story")

    fake_torch(monkeypatch, export)
    network = Network()
    with pytest.raises(ModelError, match="Network: PyTorch cannot export it: data-dependent\n"):
        qt.from_torch(network, "example")
    assert network.training


def test_without_pytorch_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(ModelError, match="pip install torch onnxscript"):
        qt.from_torch(Network(), "example")
