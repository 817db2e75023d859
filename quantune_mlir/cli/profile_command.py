"""quantune profile merge A.npz B.npz -o C.npz"""

from __future__ import annotations

from pathlib import Path

import click

from quantune_mlir.cli.console import OUT, reports_errors
from quantune_mlir.cli.inputs import FILE
from quantune_mlir.files import write_atomically
from quantune_mlir.numerics.profile import Profile, merge


@click.group("profile")
def command() -> None:
    """Work with profiles."""


@command.command("merge")
@click.argument("profiles", type=FILE, nargs=-1, required=True)
@click.option("-o", "--output", type=FILE, default=Path("profile.npz"), show_default=True, help="The profile to write.")
@reports_errors
def merge_command(profiles: tuple[Path, ...], output: Path) -> None:
    """Merge profiles of one model: the same bytes as if all samples had been profiled at once."""
    merged = merge([Profile.load(path) for path in profiles])
    write_atomically(output, merged.to_bytes())
    OUT.print(f"{output}: {len(merged)} tensors, {merged.samples} samples", highlight=False)
