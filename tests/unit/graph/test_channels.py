"""What is observed channel by channel is told apart."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx

from quantune_mlir.model import Model
from tests.onnx_models import build_model


def test_products_of_one_layer_read_tensors_of_different_names(tmp_path: Path) -> None:
    nodes = [
        onnx.helper.make_node("Conv", ["x", "w"], ["c"], name="conv"),
        onnx.helper.make_node("Resize", ["c", "", "s"], ["y"], name="resize", mode="cubic"),
    ]
    constants = {"w": np.ones((2, 3, 1, 1), np.float32), "s": np.array([1, 1, 1.5, 2], np.float32)}
    onnx.save(build_model(nodes, {"x": np.ones((1, 3, 4, 6), np.float32)}, constants, ["y"]), tmp_path / "model.onnx")
    model = Model.load(tmp_path / "model.onnx")
    assert {"@resize", "@resize:1"} <= {*model.network.channel_tensors.values()}
