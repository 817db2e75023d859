"""`quantune report DIR`."""

from __future__ import annotations

from pathlib import Path

import click

from quantune_mlir.cli.inputs import FILE, json_option
from quantune_mlir.cli.reporting import reports_errors


@click.command("report")
@click.argument("directory", type=FILE)
@click.option("-o", "--output", type=FILE, metavar="FILE", help="[default: report.html in DIRECTORY]")
@json_option("the numbers that it begins with, keyed by run,")
@reports_errors
def command(directory: Path, output: Path | None, json_file: Path | None) -> None:
    """Write the report of a quantized model again, with what was measured since.

    DIRECTORY is what `quantune quantize` wrote. Accuracy and latency are shown if it holds evaluation.json and
    bench.json, from `quantune evaluate --json` and `quantune bench --json`.
    """
    from quantune_mlir.cli.console import OUT, check_json, told_as_json
    from quantune_mlir.files.access import check_writable, write_atomically
    from quantune_mlir.report.comparison import as_json, named
    from quantune_mlir.workflow.artifacts import REPORT
    from quantune_mlir.workflow.reports import open_run, report_bytes

    file = output or directory / REPORT
    run = open_run(directory)
    check_writable(file)
    check_json(json_file)
    write_atomically(file, report_bytes(run))
    if not told_as_json(json_file, as_json(named([directory]), [run])):
        OUT.print(f"written to {file}")
