"""`quantune compare DIR1 DIR2 ...`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from quantune_mlir.cli.inputs import FILE, json_option
from quantune_mlir.cli.reporting import reports_errors

if TYPE_CHECKING:
    from quantune_mlir.report.comparison import Table


@click.command("compare")
@click.argument("directories", type=FILE, nargs=-1, required=True, metavar="DIRECTORY...")
@click.option("--html", "html_file", type=FILE, metavar="FILE", help="Write a page with the same, and the fronts.")
@json_option("the numbers, keyed by run,")
@reports_errors
def command(directories: tuple[Path, ...], html_file: Path | None, json_file: Path | None) -> None:
    """Show quantized models side by side: accuracy, noise, time, size, and what differs in how they were made.

    Each DIRECTORY is what `quantune quantize` wrote. Accuracy and latency are shown if it holds evaluation.json and
    bench.json, from `quantune evaluate --json` and `quantune bench --json`.
    """
    from quantune_mlir.cli.console import OUT, check_json, told_as_json
    from quantune_mlir.files.access import check_writable, write_atomically
    from quantune_mlir.report.comparison import as_json, named, tables
    from quantune_mlir.workflow.reports import comparison_bytes, open_run

    if html_file is not None:
        check_writable(html_file)
    check_json(json_file)
    runs = [open_run(directory, profiled=False) for directory in directories]
    names = named(directories)
    if html_file is not None:
        write_atomically(html_file, comparison_bytes(names, runs))
    if told_as_json(json_file, as_json(names, runs)):
        return
    for place, table in enumerate(tables(names, runs)):
        if place:
            OUT.print()
        _print(table)
    if html_file is not None:
        OUT.print(f"\nwritten to {html_file}")


def _print(table: Table) -> None:
    from quantune_mlir.cli.console import Column, print_table

    columns = enumerate(zip(table.head, zip(*table.rows, strict=True), strict=True))
    shown = [
        Column(title, cells, text=place < table.text, optional=place if place in table.optional else 0)
        for place, (title, cells) in columns
    ]
    print_table(table.title, shown)
