"""quantune-opt: runs pass pipelines over MLIR, as mlir-opt does."""

from __future__ import annotations

import sys
import traceback
from typing import Any, Final

import click

from quantune_mlir.cli import entry
from quantune_mlir.cli.model_options import keep_quantized_option, model_options
from quantune_mlir.cli.stopping import reports_stop
from quantune_mlir.errors import QuantuneError
from quantune_mlir.pipeline import registry
from quantune_mlir.pipeline.registry import UPSTREAM_PASSES

_STDIO: Final = "-"


class _PassFlags(click.Command):
    """Takes `--PASS` and `--PASS="options"` out of the arguments, in the order given, for every known pass."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        flags = {*registry.available(), *UPSTREAM_PASSES}
        chosen: list[tuple[str, str]] = []
        rest: list[str] = []
        for index, argument in enumerate(args):
            if argument == "--":
                rest += args[index:]
                break
            name, _, options = argument.removeprefix("--").partition("=")
            if argument.startswith("--") and name in flags:
                chosen.append((name, options))
            else:
                rest.append(argument)
        ctx.obj = chosen
        return super().parse_args(ctx, rest)

    def invoke(self, ctx: click.Context) -> Any:
        with reports_stop("quantune-opt"):
            return super().invoke(ctx)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Passes"):
            formatter.write_dl([(f"--{name}", registry.summary(name)) for name in registry.available()])
            formatter.write_dl([(f"--{name}", "MLIR's own.") for name in UPSTREAM_PASSES])


@click.command(cls=_PassFlags, context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("source", metavar="[IN]", default=_STDIO)
@click.option("-o", "--output", default=_STDIO, help="Where to write; '-' is stdout.")
@click.option("--pass-pipeline", metavar="TEXT", help="builtin.module(...): our passes and upstream's, mixed.")
@click.option("--pipeline", "named", metavar="NAME", help="A named pipeline that comes with the package.")
@click.option(
    "--set",
    "settings",
    metavar="NAME=VALUE",
    multiple=True,
    help="A parameter of the pipeline. Repeatable; --list-passes shows which there are.",
)
@click.option("--list-passes", is_flag=True, help="List our passes, their options and the named pipelines.")
@click.option("--verify-each/--no-verify-each", default=True, help="Verify the module between passes.")
@click.option("--print-ir-after-all", is_flag=True, help="Print the module to stderr after each pass.")
@click.option("--emit-bytecode", is_flag=True, help="Write bytecode instead of text.")
@click.option("--mlir-print-op-generic", "generic", is_flag=True, help="Write all ops in the generic form.")
@click.option("--mlir-print-debuginfo", "debug_info", is_flag=True, help="Write locations.")
@click.option("--elide-constants", type=click.IntRange(min=0), metavar="N", help="Elide larger constants.")
@click.option("--split-input-file", is_flag=True, help="Take the text between lines of '// -----' as modules apart.")
@model_options
@keep_quantized_option
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
@click.pass_context
def main(
    ctx: click.Context,
    source: str,
    output: str,
    pass_pipeline: str | None,
    named: str | None,
    settings: tuple[str, ...],
    list_passes: bool,
    verify_each: bool,
    print_ir_after_all: bool,
    emit_bytecode: bool,
    generic: bool,
    debug_info: bool,
    elide_constants: int | None,
    split_input_file: bool,
    debug: bool,
    **chosen: Any,
) -> None:
    """Read a module (MLIR text or bytecode, or a model), run passes over it, write it.

    IN is a file, or '-' for stdin.
    """
    from quantune_mlir.cli import opt_work

    if list_passes:
        click.echo(opt_work.listing())
        return
    try:
        steps = opt_work.pipeline(ctx.obj, pass_pipeline, named, settings)
        modules = opt_work.read(source, split_input_file, chosen)
        for module in modules:
            opt_work.run(module, steps, source, verify_each=verify_each, print_after_all=print_ir_after_all)
        data = opt_work.encoded(
            modules, bytecode=emit_bytecode, generic=generic, debug_info=debug_info, elide_above=elide_constants
        )
        opt_work.write(output, data)
    except QuantuneError as error:
        if debug:
            traceback.print_exc()
        click.echo(f"quantune-opt: error: {error}", err=True)
        sys.exit(1)


if __name__ == "__main__":
    entry.quantune_opt()
