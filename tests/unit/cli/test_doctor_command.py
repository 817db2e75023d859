from __future__ import annotations

import json
import platform

from click.testing import CliRunner

from quantune_mlir.cli.quantune import main
from quantune_mlir.hardware.host_isa import host_isa


def test_it_tells_what_is_there_and_what_is_missing() -> None:
    done = CliRunner().invoke(main, ["doctor", "--json", "-"])
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert found["versions"]["python"] == platform.python_version()
    assert found["versions"]["iree-base-compiler"] == "3.13.0"
    assert found["machine"]["kernels' instruction set"] == host_isa()
    assert found["optional"]["onnxruntime"] is not None


def test_it_prints_how_to_have_what_is_missing() -> None:
    done = CliRunner().invoke(main, ["doctor"])
    assert done.exit_code == 0 and "tosa-converter-for-tflite" in done.output
