"""`quantune cache`."""

from __future__ import annotations

from pathlib import Path

import click

from quantune_mlir.cli.inputs import json_option
from quantune_mlir.cli.reporting import reports_errors


@click.command("cache")
@click.option("--clear", is_flag=True, help="Remove all that was compiled.")
@json_option("what it holds")
@reports_errors
def command(clear: bool, json_file: Path | None) -> None:
    """Show, or empty, the cache of what was compiled and quantized for this user.

    QUANTUNE_CACHE names another directory for it, QUANTUNE_CACHE_MIB another limit than 2048 MiB.
    """
    from quantune_mlir.backend.compile_cache import user_cache
    from quantune_mlir.cli.console import OUT, told_as_json

    cache = user_cache()
    usage = cache.usage()
    if clear:
        cache.clear()
    known = {"directory": str(cache.directory), "limit": cache.limit, "bytes": usage.bytes, "entries": usage.entries}
    if told_as_json(json_file, known):
        return
    size = f"{usage.bytes / 2**20:.1f} of at most {cache.limit / 2**20:.0f} MiB in {usage.entries} entries"
    OUT.print(f"{cache.directory}: {size}{', removed' if clear else ''}")
