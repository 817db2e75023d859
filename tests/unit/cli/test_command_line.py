"""A command's arguments can be given again as they were."""

from __future__ import annotations

from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from quantune_mlir.cli.command_line import given_arguments


@click.command()
@click.option("--flag/--no-flag", default=True)
@click.option("-n", "--number", type=int, default=3)
@click.option("--shape", "shapes", multiple=True)
@click.option("--secret")
@click.option("--force", is_flag=True)
@click.argument("model", type=click.Path(path_type=Path))
def command(**_: object) -> None:
    click.echo("\n".join(given_arguments(without=("secret",))))


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (["m.onnx"], ["m.onnx"]),
        (["-n", "3", "m.onnx"], ["m.onnx", "--number", "3"]),
        (["--no-flag", "--force", "m"], ["m", "--no-flag", "--force"]),
        (["--shape", "a=1", "--shape", "b=2", "m"], ["m", "--shape", "a=1", "--shape", "b=2"]),
        (["--secret", "x", "m"], ["m"]),
    ],
)
def test_arguments_are_those_that_were_given(given: list[str], expected: list[str]) -> None:
    assert CliRunner().invoke(command, given).output.split() == expected
