"""Help is there at once: it imports nothing that takes long."""

from __future__ import annotations

import dataclasses
import subprocess
import sys

import pytest

from quantune_mlir.cli.policy_options import POLICY_PARAMETERS
from quantune_mlir.cli.quantune import main
from quantune_mlir.workflow.policy import PlanPolicy

HEAVY = {"iree", "numpy", "onnx", "pydantic", "rich", "yaml"}
SCRIPT = """
import sys
from quantune_mlir.cli.{module} import main
try:
    main(sys.argv[1:], prog_name="quantune")
except SystemExit as ended:
    assert not ended.code, ended.code
print(*sorted({{name.partition(".")[0] for name in sys.modules}}), file=sys.stderr)
"""


def imported(module: str, *arguments: str) -> set[str]:
    """The top-level modules that a command has imported when it ends well."""
    command = [sys.executable, "-c", SCRIPT.format(module=module), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "Usage" in done.stdout
    return set(done.stderr.split())


@pytest.mark.parametrize("command", ["", *main.list_commands(None)])  # type: ignore[arg-type]
def test_help_imports_nothing_heavy(command: str) -> None:
    assert not imported("quantune", *command.split(), "--help") & HEAVY


def test_help_of_quantune_opt_imports_nothing_heavy() -> None:
    assert not imported("quantune_opt", "--help") & HEAVY


def test_policy_parameters_are_the_fields_of_the_policy() -> None:
    assert set(POLICY_PARAMETERS) == {field.name for field in dataclasses.fields(PlanPolicy)}
