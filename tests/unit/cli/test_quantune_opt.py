from __future__ import annotations

from pathlib import Path

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


def test_an_unknown_flag_is_a_usage_error(source: Path) -> None:
    result = run(source, "--quantune-cancel-everything")
    assert result.exit_code == 2
    assert "No such option" in result.stderr
    assert "--quantune-cancel-everything" in result.stderr
