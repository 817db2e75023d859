"""quantune: the workflow for users. Each command is a file of this folder, imported when it is called."""

from __future__ import annotations

import importlib
from difflib import get_close_matches
from typing import Any, Final

import click

from quantune_mlir.cli import entry
from quantune_mlir.cli.stopping import reports_stop
from quantune_mlir.printable import printable

_COMMANDS: Final = {
    "quantize": "Quantize a model in two inference runs.",
    "init": "Write a file of options, explained, for `quantize --config`.",
    "analyze": "Print how sensitive each layer is to int8.",
    "evaluate": "Compare the accuracy of fp32, int8 and mixed.",
    "bench": "Compare the latency of fp32, int8 and mixed.",
    "report": "Write the report of a quantized model again.",
    "compare": "Show quantized models side by side.",
    "compile": "Compile a module for a target.",
    "tune": "Find the quickest tiles for this machine.",
    "run": "Run a compiled program.",
    "profile": "Make and merge calibration profiles.",
    "targets": "List the targets.",
    "doctor": "Tell what is installed, and what is missing.",
    "cache": "Show or empty the cache of what was compiled.",
}


class _Quantune(click.Group):
    """Finds a command in the module of its name, and ends cleanly when told to stop."""

    def invoke(self, ctx: click.Context) -> Any:
        with reports_stop("quantune"):
            try:
                return super().invoke(ctx)
            except click.MissingParameter as error:
                what = error.param.help if isinstance(error.param, click.Option) else None
                raise click.MissingParameter(what, error.ctx, error.param) from error

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        meant = get_close_matches(args[0], _COMMANDS, n=1) if args[0] not in _COMMANDS else []
        if meant and not ctx.resilient_parsing:
            ctx.fail(f"No such command '{printable(args[0])}'. (Did you mean '{meant[0]}'?)")
        return super().resolve_command(ctx, args)

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        return importlib.import_module(f"quantune_mlir.cli.{cmd_name}_command").command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(_COMMANDS.items()))


@click.group(cls=_Quantune, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="quantune-mlir")
def main() -> None:
    """Mixed int8/fp32 quantization for embedded CPUs, chosen by the compiler in two inference runs."""


if __name__ == "__main__":
    entry.quantune()
