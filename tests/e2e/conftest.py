from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from quantune_mlir.cli.quantune import main

DIGITS = Path(__file__).parents[1] / "data"


@dataclass(frozen=True)
class Outcome:
    """What a command left behind."""

    status: int
    stdout: str
    stderr: str


Quantune = Callable[..., Outcome]


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
