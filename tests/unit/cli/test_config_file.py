"""Options from a file, and as a file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
import pytest
import yaml
from click.testing import CliRunner

from quantune_mlir.cli import quantize_command
from quantune_mlir.cli.config_file import commented, config_option, parameters, read, written
from quantune_mlir.cli.inputs import FILE
from quantune_mlir.cli.quantune import main
from quantune_mlir.errors import OptionsError

QUANTIZE = quantize_command.command


@click.command("example")
@click.argument("model", type=FILE)
@config_option
@click.option("--data", type=FILE, required=True)
@click.option("--number", type=click.IntRange(min=1), default=3)
@click.option("--verify/--no-verify", default=True)
@click.option("--shape", "shapes", multiple=True)
@click.option("--limit")
@click.pass_context
def example(context: click.Context, **chosen: Any) -> None:
    """Prints its options as a file."""
    click.echo(written(context), nl=False)


def run(*arguments: object) -> dict[str, Any]:
    done = CliRunner().invoke(example, list(map(str, arguments)))
    assert done.exit_code == 0, done.output
    return yaml.safe_load(done.output)


def test_the_command_line_goes_before_the_file(tmp_path: Path) -> None:
    file = tmp_path / "options.yaml"
    file.write_text("model: m.onnx\ndata: d.npz\nnumber: 7\nverify: false\nshape: [x=1x2, y=3]\nlimit: 5\n")
    made = run("--config", file, "--number", 9)
    assert made == {
        "format": 1,
        "model": str(tmp_path / "m.onnx"),
        "data": str(tmp_path / "d.npz"),
        "number": 9,
        "verify": False,
        "shape": ["x=1x2", "y=3"],
        "limit": "5",
    }
    assert run(tmp_path / "other.onnx", "--config", file, "--verify")["model"] == str(tmp_path / "other.onnx")


def test_what_was_written_is_read_the_same(tmp_path: Path) -> None:
    first = CliRunner().invoke(example, ["m.onnx", "--data", "d.npz", "--shape", "x=2", "--limit", "5ms"]).output
    (tmp_path / "config.yaml").write_text(first)
    assert CliRunner().invoke(example, ["--config", str(tmp_path / "config.yaml")]).output == first


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("model: m\nnumbre: 3\n", "line 2: numbre: there is no such key"),
        ("model: m\n\nnumber: 0\n", "line 3: number"),
        ("verify: 1\n", "line 1: verify"),
        ("format: 2\n", "line 1: format"),
        ("- 1\n", "this is not a file of options of `quantune example`"),
        ("model: [\n", "line 2: malformed YAML"),
    ],
)
def test_mistakes_are_told_with_their_line(tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / "options.yaml").write_text(text)
    with pytest.raises(OptionsError) as raised:
        read(tmp_path / "options.yaml", example)
    assert "options.yaml" in str(raised.value) and told in str(raised.value)
    done = CliRunner().invoke(example, ["--config", str(tmp_path / "options.yaml")])
    assert done.exit_code == 1 and told in done.output


def test_a_commented_file_explains_every_option_and_is_one(tmp_path: Path) -> None:
    text = commented(QUANTIZE)
    for key in parameters(QUANTIZE):
        assert f"\n{key}: " in text or f"\n# {key}: " in text, key
    (tmp_path / "options.yaml").write_text(text)
    assert set(read(tmp_path / "options.yaml", QUANTIZE)) == {"model", "calibration", "output"}


def test_defaults_in_the_commented_file_are_valid(tmp_path: Path) -> None:
    keys = tuple(f"# {key}: " for key in parameters(QUANTIZE))
    numbers = {"# fp32-layers: N", "# min-sqnr: DB", "# max-drop: POINTS"}
    shown = [line[2:] for line in commented(QUANTIZE).splitlines() if line.startswith(keys) and line not in numbers]
    (tmp_path / "options.yaml").write_text("\n".join(shown) + "\n")
    assert read(tmp_path / "options.yaml", QUANTIZE)["samples"] == 100


def test_options_are_told_to_programs() -> None:
    told = json.loads(CliRunner().invoke(main, ["init", "--json", "-"]).output)
    assert list(told) == list(parameters(QUANTIZE))
    assert told["samples"]["default"] == 100 and told["model"]["required"] and "int8" in told["all"]["choices"]


def test_init_replaces_nothing_unasked(tmp_path: Path) -> None:
    file = tmp_path / "quantune.yaml"
    assert CliRunner().invoke(main, ["init", str(file)]).exit_code == 0
    assert file.read_text() == commented(QUANTIZE)
    refused = CliRunner().invoke(main, ["init", str(file)])
    assert refused.exit_code == 1 and "exists already" in refused.output
    assert CliRunner().invoke(main, ["init", str(file), "--force"]).exit_code == 0
