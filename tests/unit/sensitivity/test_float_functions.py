"""Which functions int8 leaves in fp32, and with which layer they become tables."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx

from quantune_mlir.model import Model
from quantune_mlir.sensitivity.float_functions import float_functions
from tests.onnx_models import build_model

RNG = np.random.default_rng(5)
make = onnx.helper.make_node


def loaded(path: Path, *nodes: onnx.NodeProto) -> Model:
    weights = {"w": RNG.standard_normal((4, 3, 1, 1)).astype(np.float32)}
    used = {name: array for name, array in weights.items() if any(name in node.input for node in nodes)}
    onnx.save(build_model(list(nodes), {"x": np.zeros((1, 3, 6, 6), np.float32)}, used, ["y"]), path)
    return Model.load(path)


CONV = make("Conv", ["x", "w"], ["c"], name="conv")


def test_what_follows_an_accumulator_is_in_fp32_in_any_plan(tmp_path: Path) -> None:
    model = loaded(tmp_path / "m.onnx", CONV, make("LeakyRelu", ["c"], ["y"], name="leaky"))
    assert float_functions(model) == {"leaky": None}


def test_what_others_read_in_int8_makes_a_table(tmp_path: Path) -> None:
    pool = make("MaxPool", ["c"], ["p"], name="pool", kernel_shape=[2, 2])
    leaky = make("LeakyRelu", ["p"], ["y"], name="leaky")
    assert float_functions(loaded(tmp_path / "m.onnx", CONV, pool, leaky)) == {"leaky": "conv"}


def test_a_function_of_the_input_and_a_curve_are_tables_whatever_is_int8(tmp_path: Path) -> None:
    leaky = make("LeakyRelu", ["x"], ["l"], name="leaky")
    sigmoid = make("Sigmoid", ["l"], ["y"], name="sigmoid")
    assert float_functions(loaded(tmp_path / "m.onnx", leaky, sigmoid)) == {}
