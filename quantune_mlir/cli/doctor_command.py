"""`quantune doctor`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from quantune_mlir.cli.inputs import json_option
from quantune_mlir.cli.reporting import reports_errors


@click.command("doctor")
@json_option("all of it")
@reports_errors
def command(json_file: Path | None) -> None:
    """Tell what is installed, which CPU this is and how it is used, where the cache is, and what is missing."""
    from quantune_mlir.cli.console import OUT, Column, print_table, told_as_json
    from quantune_mlir.workflow.diagnosis import OPTIONAL, diagnose

    found: dict[str, dict[str, Any]] = diagnose()
    if told_as_json(json_file, found):
        return
    for title in ("versions", "machine", "cache"):
        values = ["not installed" if value is None else str(value) for value in found[title].values()]
        print_table(title, [Column("what", list(found[title]), text=True), Column("found", values, text=True)])
        OUT.print()
    optional = found["optional"]
    print_table(
        "optional",
        [
            Column("part", list(optional), text=True),
            Column("found", [version or "-" for version in optional.values()], text=True),
            Column("is for", [OPTIONAL[name].purpose for name in optional], text=True),
        ],
    )
    for remedy, names in _missing(optional).items():
        OUT.print(f"to have {', '.join(names)}: {remedy}")


def _missing(optional: Mapping[str, str | None]) -> dict[str, list[str]]:
    """What is not there, by how to have it."""
    from quantune_mlir.workflow.diagnosis import OPTIONAL

    remedies: defaultdict[str, list[str]] = defaultdict(list)
    for name, version in optional.items():
        if version is None:
            remedies[OPTIONAL[name].remedy].append(name)
    return remedies
