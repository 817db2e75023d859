from __future__ import annotations

from pathlib import Path

import onnx
import pytest
from click.testing import CliRunner, Result

from quantune_mlir.cli.quantune_opt import main

SOURCE = """
func.func @main(%x: tensor<4xf32>) -> tensor<4xf32> {
  %dead = "tosa.abs"(%x) : (tensor<4xf32>) -> tensor<4xf32>
  return %x : tensor<4xf32>
}
"""


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "in.mlir"
    path.write_text(SOURCE)
    return path


def run(*arguments: str | Path, stdin: str | None = None) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments], input=stdin)


def test_passes_are_taken_wherever_they_stand_among_the_arguments(source: Path) -> None:
    result = run("--quantune-remove-dead-code", source, "--mlir-print-op-generic", "--cse")
    assert result.exit_code == 0
    assert "tosa.abs" not in result.stdout
    assert '"func.func"()' in result.stdout


def test_stdin_is_the_default(source: Path) -> None:
    assert "tosa.abs" in run(stdin=SOURCE).stdout


def test_a_failing_run_leaves_the_old_output(source: Path, tmp_path: Path) -> None:
    output = tmp_path / "out.mlir"
    output.write_text("old")
    result = run(source, "-o", output, "--quantune-verify-layers")
    assert result.exit_code == 1
    assert "'tosa.abs' lacks quantune.layer and quantune.op" in result.stderr
    assert output.read_text() == "old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.mlir", "out.mlir"]


def test_output_replaces_the_old(source: Path, tmp_path: Path) -> None:
    output = tmp_path / "out.mlir"
    output.write_text("old")
    assert run(source, "-o", output).exit_code == 0
    assert "func.func @main" in output.read_text()


@pytest.mark.parametrize("flag", [[], ["--debug"]])
def test_tracebacks_are_for_debugging_only(tmp_path: Path, flag: list[str]) -> None:
    result = run(tmp_path / "nowhere.onnx", *flag)
    assert result.exit_code == 1
    assert ("Traceback" in result.stderr) == bool(flag)
    assert "nowhere.onnx" in result.stderr


def test_the_options_that_a_dynamic_model_asks_for(tmp_path: Path) -> None:
    dims = ["batch", -1, 4]
    x, y = (onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, dims) for name in "xy")
    nodes = [onnx.helper.make_node("Mul", ["x", "k"], ["h"]), onnx.helper.make_node("Relu", ["h"], ["y"])]
    k = onnx.helper.make_tensor_value_info("k", onnx.TensorProto.FLOAT, [])
    graph = onnx.helper.make_graph(nodes, "g", [x, k], [y])
    onnx.save(onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)]), tmp_path / "m")
    refused = run(tmp_path / "m", "--batch", "3")
    assert refused.exit_code == 1
    assert "--shape x=3xN1x4" in refused.stderr
    done = run(tmp_path / "m", "--shape", "x=3x5x4", "--constant", "k=2", "--outputs", "h")
    assert (
        '(%arg0: tensor<3x5x4xf32> {quantune.name = "x"}) -> (tensor<3x5x4xf32> {quantune.name = "h"})' in done.stdout
    )


def test_a_model_of_another_kind_is_called_what_it_is(tmp_path: Path) -> None:
    (tmp_path / "m.tflite").write_bytes(b"\x1c\x00\x00\x00TFL3" + bytes(40))
    assert "TensorFlow Lite" in run(tmp_path / "m.tflite").stderr


def test_an_unknown_flag_is_a_usage_error(source: Path) -> None:
    result = run(source, "--quantune-cancel-everything")
    assert result.exit_code == 2
    assert "No such option" in result.stderr
    assert "--quantune-cancel-everything" in result.stderr
