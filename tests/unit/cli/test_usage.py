"""What a wrong command line is answered with."""

from __future__ import annotations

from click.testing import CliRunner

from quantune_mlir.cli.quantune import main


def test_a_missing_option_is_told_with_what_it_is() -> None:
    refused = CliRunner().invoke(main, ["quantize", "model.onnx"])
    assert refused.exit_code == 2 and "'--calibration'. Samples: an .npz" in refused.output


def test_a_misspelt_command_is_told_which_is_meant() -> None:
    refused = CliRunner().invoke(main, ["quantise"])
    assert refused.exit_code == 2 and "Did you mean 'quantize'?" in refused.output
    assert "mean" not in CliRunner().invoke(main, ["xyzzy"]).output
