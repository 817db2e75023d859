"""`quantune cache`."""

from __future__ import annotations

import click

from quantune_mlir.cli.reporting import reports_errors


@click.command("cache")
@click.option("--clear", is_flag=True, help="Remove all that was compiled.")
@reports_errors
def command(clear: bool) -> None:
    """Show, or empty, the cache of what was compiled for this user.

    QUANTUNE_CACHE names another directory for it, QUANTUNE_CACHE_MIB another limit than 2048 MiB.
    """
    from quantune_mlir.backend.compile_cache import user_cache
    from quantune_mlir.cli.console import OUT

    cache = user_cache()
    usage = cache.usage()
    if clear:
        cache.clear()
    size = f"{usage.bytes / 2**20:.1f} of at most {cache.limit / 2**20:.0f} MiB in {usage.entries} entries"
    OUT.print(f"{cache.directory}: {size}{', removed' if clear else ''}")
