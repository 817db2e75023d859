from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from quantune_mlir.backend import compiler
from quantune_mlir.backend.compile_cache import CACHE_VARIABLE
from quantune_mlir.backend.program import Program
from quantune_mlir.cli.quantune import main
from tests.e2e.models import conv_relu, images, save_model, save_samples

DIGITS = Path(__file__).parents[1] / "data"
MODEL = DIGITS / "digits.onnx"
CALIBRATION = DIGITS / "digits_calibration.npz"
TEST = DIGITS / "digits_test.npz"
FILES = [
    "config.yaml",
    "fp32.mlir",
    "mixed.mlir",
    "model.vmfb",
    "plan.yaml",
    "profile.npz",
    "report.html",
    "sensitivity.yaml",
    "summary.json",
]
"""What `quantune quantize` writes."""


@dataclass(frozen=True)
class Outcome:
    """What a command left behind."""

    status: int
    stdout: str
    stderr: str


Quantune = Callable[..., Outcome]
Refused = Callable[..., str]


@pytest.fixture
def quantune(capfd: pytest.CaptureFixture[str]) -> Quantune:
    """Runs a quantune command in this process."""

    def run(*arguments: object) -> Outcome:
        capfd.readouterr()
        with pytest.raises(SystemExit) as ended:
            main([str(argument) for argument in arguments])
        captured = capfd.readouterr()
        status = ended.value.code
        assert isinstance(status, int)
        return Outcome(status, captured.out, captured.err)

    return run


@pytest.fixture
def refused(quantune: Quantune) -> Callable[..., str]:
    """Runs a command that must fail; its message."""

    def run(*arguments: object) -> str:
        outcome = quantune(*arguments)
        assert outcome.status != 0, outcome.stdout
        assert outcome.stdout == ""
        assert "Traceback" not in outcome.stderr
        errors = [line for line in outcome.stderr.splitlines() if line.startswith(("quantune: error: ", "Error: "))]
        assert len(errors) == 1, outcome.stderr
        return outcome.stderr

    return run


def run_main(command: Any, *arguments: object) -> int:
    with pytest.raises(SystemExit) as ended:
        command([str(argument) for argument in arguments])
    return ended.value.code  # type: ignore[return-value]


@pytest.fixture(scope="session")
def calls() -> Counter[str]:
    """How often each function of a program was called while `digits` was made."""
    return Counter()


@pytest.fixture(scope="session")
def digits(tmp_path_factory: pytest.TempPathFactory, calls: Counter[str]) -> Path:
    """The sample network, quantized with the default options."""
    output = tmp_path_factory.mktemp("digits") / "out"
    with pytest.MonkeyPatch.context() as patch:
        call = Program.call

        def counted(self: Program, function: str, *inputs: Any, **options: Any) -> Any:
            calls[function] += 1
            return call(self, function, *inputs, **options)

        patch.setattr(Program, "call", counted)
        patch.setenv(CACHE_VARIABLE, str(output.with_name("cache")))  # Other tests give the same command.
        assert run_main(main, "quantize", MODEL, "--calibration", CALIBRATION, "--output", output) == 0
    return output


@pytest.fixture(scope="session")
def summary(digits: Path) -> dict[str, Any]:
    return json.loads((digits / "summary.json").read_text())


@pytest.fixture
def quantized(quantune: Quantune, digits: Path, tmp_path: Path) -> Any:
    """Quantizes the sample network once more, after the profile of the first time; the output directory."""

    def run(*options: object) -> Path:
        output = tmp_path / f"out{len(list(tmp_path.iterdir()))}"
        outcome = quantune("quantize", MODEL, "--calibration", CALIBRATION, "--output", output, *options)
        assert outcome.status == 0, outcome.stderr
        return output

    return run


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The directory in which a test works, with a good model and good samples."""
    save_model(conv_relu(), tmp_path / "good.onnx")
    save_samples(tmp_path / "good.npz", x=images())
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def refused_early(refused: Refused, work: Path, monkeypatch: pytest.MonkeyPatch) -> Refused:
    """`quantune quantize ...` must fail before anything is compiled, and write nothing."""

    def unexpected(*_: object, **__: object) -> bytes:
        raise AssertionError("something was compiled")

    monkeypatch.setattr(compiler, "iree_compile", unexpected)

    def run(*arguments: object, model: object = "good.onnx", data: object = "good.npz", output: object = "out") -> str:
        before = sorted(work.rglob("*"))
        message = refused("quantize", model, "--calibration", data, "--output", output, *arguments)
        assert sorted(work.rglob("*")) == before
        return message

    return run
