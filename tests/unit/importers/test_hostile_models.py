"""Models that ask for what there is not, or say what ONNX does not allow."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from quantune_mlir.errors import ModelError
from quantune_mlir.importers.onnx import import_onnx
from quantune_mlir.importers.onnx.loading import load_model

IMAGE = (1, 4, 8, 8)


def model(
    nodes: Sequence[onnx.NodeProto],
    constants: dict[str, Any] | None = None,
    shape: Sequence[int] = IMAGE,
    *,
    opset: int = 17,
    **rest: Any,
) -> onnx.ModelProto:
    stored = [numpy_helper.from_array(np.asarray(value), name) for name, value in (constants or {}).items()]
    given = [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)]
    results = [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["d"])]
    graph = helper.make_graph(list(nodes), "test", given, results, stored)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8, **rest)


def one(op: str, *constants: Any, shape: Sequence[int] = IMAGE, opset: int = 17, **attributes: Any) -> onnx.ModelProto:
    """A node of `x` and constants."""
    named = {f"c{index}": value for index, value in enumerate(constants)}
    return model([helper.make_node(op, ["x", *named], ["y"], "node", **attributes)], named, shape, opset=opset)


def refused(tmp_path: Path, broken: onnx.ModelProto) -> str:
    path = tmp_path / "model.onnx"
    path.write_bytes(broken.SerializeToString())
    with pytest.raises(ModelError) as caught:
        import_onnx(path)
    assert str(path) in str(caught.value) and "remedy" in str(caught.value)
    return str(caught.value)


W = np.ones((4, 4, 3, 3), np.float32)
INVALID = {
    "Flatten": one("Flatten", axis=99),
    "dilation 0": one("Conv", W, dilations=[0, 1]),
    "stride 0": one("MaxPool", kernel_shape=[2, 2], strides=[0, 1]),
    "channels of transposed": one("ConvTranspose", np.ones((8, 4, 3, 3), np.float32), group=2),
    "stride -1": one("ConvTranspose", W, strides=[1, -1]),
    "kernel 0": one("AveragePool", kernel_shape=[0, 2]),
    "kernel_shape": one("Conv", W, kernel_shape=[2, 2]),
    "auto_pad": one("Conv", W, auto_pad="SAME"),
    "auto_pad of transposed": one("ConvTranspose", W, auto_pad="same_upper"),
    "auto_pad of a pool": one("MaxPool", kernel_shape=[2, 2], auto_pad="FULL"),
    "group 0": one("Conv", W, group=0),
    "group 3": one("Conv", W, group=3),
    "perm": one("Transpose", perm=[0, 1, 2, 2]),
    "perm too short": one("Transpose", perm=[0, 1]),
    "concat axis": one("Concat", np.ones(IMAGE, np.float32), axis=4),
    "concat shapes": one("Concat", np.ones((1, 4, 8, 7), np.float32), axis=1),
    "softmax axis": one("Softmax", axis=-5),
    "block size": one("DepthToSpace", blocksize=0),
    "block size 3": one("DepthToSpace", blocksize=3),
    "depth order": one("DepthToSpace", blocksize=2, mode="ABC"),
    "pad mode": one("Pad", np.zeros(8, np.int64), mode="mirror"),
    "pads": one("Pad", np.zeros(7, np.int64)),
    "resize mode": one("Resize", np.ones(0, np.float32), np.ones(4, np.float32), mode="best"),
    "coordinates": one(
        "Resize", np.ones(0, np.float32), np.ones(4, np.float32) * 2, coordinate_transformation_mode="centre"
    ),
    "unsqueeze twice": one("Unsqueeze", np.array([0, 0])),
    "squeeze": one("Squeeze", np.array([1])),
    "slice axis": one("Slice", np.array([0]), np.array([1]), np.array([4])),
    "slice step 0": one("Slice", np.array([0]), np.array([1]), np.array([0]), np.array([0])),
    "reshape": one("Reshape", np.array([-1, -1])),
    "reshape negative": one("Reshape", np.array([-2, -128])),
    "gather index": one("Gather", np.array([4]), axis=1),
    "reduce axis": one("ReduceMean", axes=[7]),
    "gemm": one("Gemm", np.ones((3, 2), np.float32), shape=(1, 4)),
    "batch norm": one("BatchNormalization", *[np.ones(3, np.float32)] * 4),
    "negative variance": one("BatchNormalization", *[np.ones(4, np.float32)] * 3, -np.ones(4, np.float32)),
    "split": model([helper.make_node("Split", ["x", "s"], ["y", "z"], axis=1)], {"s": np.array([1, 2])}),
    "num_outputs": model(
        [helper.make_node("Split", ["x"], ["y", "z"], axis=1, num_outputs=1 << 40)], opset=18, shape=IMAGE
    ),
    "cast": one("Cast", to=99),
    "negative dimension": one("Relu", shape=(1, -3)),
}


@pytest.mark.parametrize("name", INVALID)
def test_what_onnx_does_not_allow_is_refused(tmp_path: Path, name: str) -> None:
    refused(tmp_path, INVALID[name])


def doubled(times: int) -> onnx.ModelProto:
    nodes = [helper.make_node("Concat", [f"c{i}", f"c{i}"], [f"c{i + 1}"], axis=0) for i in range(times)]
    nodes += [helper.make_node("ReduceMax", [f"c{times}"], ["m"]), helper.make_node("Add", ["x", "m"], ["y"])]
    return model(nodes, {"c0": np.ones(16, np.float32)})


ENORMOUS = {
    "doubled": doubled(29),
    "range": model(
        [helper.make_node("Range", ["a", "b", "a1"], ["r"]), helper.make_node("Add", ["x", "r"], ["y"])],
        {"a": np.float32(0), "b": np.float32(1e12), "a1": np.float32(1)},
    ),
    "constant of shape": model(
        [helper.make_node("ConstantOfShape", ["s"], ["r"]), helper.make_node("Add", ["x", "r"], ["y"])],
        {"s": np.array([1 << 20, 1 << 20])},
    ),
    "expand": one("Expand", np.array([1 << 40, 4, 8, 8])),
    "tile": one("Tile", np.array([1 << 30, 1 << 30, 1, 1])),
    "pad": one("Pad", np.array([0, 0, 1 << 20, 1 << 20, 0, 0, 0, 0])),
    "conv pads": one("Conv", W, pads=[1 << 30] * 4),
    "pool pads": one("MaxPool", kernel_shape=[1 << 31, 1], pads=[1 << 30, 0, 1 << 30, 0]),
    "resize cubic": one("Resize", np.ones(0, np.float32), np.array([1, 1, 1e7, 1], np.float32), mode="cubic"),
    "resize linear": one("Resize", np.ones(0, np.float32), np.array([1, 1, 1e9, 1], np.float32), mode="linear"),
    "input": one("Relu", shape=(1 << 20, 1 << 20)),
    "dimension": one("Relu", shape=(1 << 62, 1 << 62)),
    "work": model(
        [
            helper.make_node("Resize", ["c", "", "s"], ["r"], mode="cubic"),
            helper.make_node("Add", ["x", "r"], ["y"]),
        ],
        {"c": np.ones((1, 1, 8, 8), np.float32), "s": np.array([1, 1, 512, 512], np.float32)},
    ),
}


@pytest.mark.parametrize("name", ENORMOUS)
def test_what_is_enormous_is_refused(tmp_path: Path, name: str) -> None:
    refused(tmp_path, ENORMOUS[name])


def test_constants_may_grow_somewhat() -> None:
    assert import_onnx(doubled(16)).operation.verify()


def broken_tensor(**fields: Any) -> onnx.ModelProto:
    broken = one("Add", np.ones(8, np.float32))
    for name, value in fields.items():
        if isinstance(value, list):
            del getattr(broken.graph.initializer[0], name)[:]
            getattr(broken.graph.initializer[0], name).extend(value)
        else:
            setattr(broken.graph.initializer[0], name, value)
    return broken


@pytest.mark.parametrize(
    "fields",
    [
        {"dims": [9]},
        {"dims": []},
        {"dims": [-8]},
        {"dims": [1 << 40, 1 << 40]},
        {"data_type": 17},
        {"data_type": 99},
        {"data_type": 0},
        {"raw_data": b"123"},
        {"data_type": TensorProto.STRING},
        {"raw_data": b"", "float_data": [1.0]},
    ],
)
def test_stored_tensors_that_do_not_fit(tmp_path: Path, fields: dict[str, Any]) -> None:
    refused(tmp_path, broken_tensor(**fields))


def test_segments(tmp_path: Path) -> None:
    broken = one("Add", np.ones(8, np.float32))
    broken.graph.initializer[0].segment.begin = 1
    refused(tmp_path, broken)


def function(name: str, *calls: str) -> onnx.FunctionProto:
    nodes = [
        helper.make_node(call, ["a" if i == 0 else f"t{i}"], [f"t{i + 1}"], domain="" if call == "Relu" else "own")
        for i, call in enumerate(calls)
    ]
    imports = [helper.make_opsetid("", 17), helper.make_opsetid("own", 1)]
    return helper.make_function("own", name, ["a"], [f"t{len(calls)}"], nodes, imports)


@pytest.mark.parametrize(
    ("functions", "message"),
    [
        ([function("F", "F")], "recursive"),
        ([function("F", "G"), function("G", "F")], "recursive"),
        ([function(f"F{i}", f"F{i + 1}", f"F{i + 1}") for i in range(30)] + [function("F30", "Relu")], "100000 nodes"),
    ],
)
def test_functions_without_end(tmp_path: Path, functions: list[onnx.FunctionProto], message: str) -> None:
    called = helper.make_node(functions[0].name, ["x"], ["y"], domain="own")
    broken = model([called], functions=functions)
    broken.opset_import.append(helper.make_opsetid("own", 1))
    assert message in refused(tmp_path, broken)


@pytest.fixture
def external(tmp_path: Path) -> tuple[Path, onnx.ModelProto]:
    outside = one("Conv", np.random.default_rng(0).normal(size=(4, 4, 3, 3)).astype(np.float32))
    path = tmp_path / "model.onnx"
    onnx.save(outside, path, save_as_external_data=True, location="w.bin", size_threshold=0)
    return path, onnx.load(path, load_external_data=False)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        *(("length", value) for value in ("-1", "8", "1e9", "9" * 30, "")),
        *(("offset", value) for value in ("-1", "9" * 30, "8")),
        *(
            ("location", value)
            for value in ("", "/etc/passwd", "../w.bin", "a" * 300, "no", ".", "w.bin\0", "model.onnx/w")
        ),
    ],
)
def test_external_data_that_is_not_there(external: tuple[Path, onnx.ModelProto], key: str, value: str) -> None:
    path, broken = external
    entries = broken.graph.initializer[0].external_data
    kept = [(e.key, e.value) for e in entries if e.key != key]
    del entries[:]
    for name, content in [*kept, (key, value)]:
        entries.add(key=name, value=content)
    path.write_bytes(broken.SerializeToString())
    with pytest.raises(ModelError, match="stored in other files, which cannot be read"):
        import_onnx(path)


def test_many_tensors_in_one_file(external: tuple[Path, onnx.ModelProto]) -> None:
    path, bomb = external
    with (path.parent / "w.bin").open("wb") as file:
        file.truncate(64 << 20)
    stored = bomb.graph.initializer[0]
    stored.dims[:] = [4 << 20, 4, 1, 1]
    del stored.external_data[:]
    stored.external_data.add(key="location", value="w.bin")
    for index in range(100):
        copy = bomb.graph.initializer.add()
        copy.CopyFrom(stored)
        copy.name = f"w{index}"
    path.write_bytes(bomb.SerializeToString())
    with pytest.raises(ModelError, match="far more elements than its files hold"):
        import_onnx(path)


def test_the_hash_is_of_what_is_computed_with(external: tuple[Path, onnx.ModelProto]) -> None:
    path, _ = external
    before = load_model(path).digest
    weights = bytearray((path.parent / "w.bin").read_bytes())
    weights[3] ^= 1
    (path.parent / "w.bin").write_bytes(weights)
    assert load_model(path).digest != before


def test_the_hash_of_a_model_in_one_file_is_the_files(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(one("Relu").SerializeToString())
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert load_model(path).digest == digest
    assert digest in str(import_onnx(path))


def test_a_pipe_is_no_model(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "model.onnx")
    with pytest.raises(ModelError, match="is a pipe, not a file"):
        import_onnx(tmp_path / "model.onnx")


@pytest.mark.parametrize("size", [-2, -(2**63)])
def test_negative_dimensions_are_refused(size: int) -> None:
    x = onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [size, 4])
    y = onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, ["n", 4])
    graph = onnx.helper.make_graph([onnx.helper.make_node("Relu", ["x"], ["y"])], "g", [x], [y])
    with pytest.raises(ModelError, match=f"input 'x' has a dimension of {size}"):
        import_onnx(onnx.helper.make_model(graph, ir_version=8))
