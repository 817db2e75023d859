"""quantune-opt: runs pass pipelines over MLIR, as mlir-opt does."""

from __future__ import annotations

import re
import sys
import traceback
from pathlib import Path
from typing import Any, Final

import click

from quantune_mlir.cli import entry
from quantune_mlir.cli.model_options import front_end_options, keep_quantized_option, model_options
from quantune_mlir.cli.stopping import reports_stop
from quantune_mlir.errors import ModelError, PassError, QuantuneError
from quantune_mlir.files import resources
from quantune_mlir.files.access import read_file, write_atomically
from quantune_mlir.importers.kinds import refuse_other_kinds
from quantune_mlir.importers.registry import MLIR, find_front_end, load
from quantune_mlir.mlir.bindings import ir, make_context
from quantune_mlir.mlir.text import LARGEST, load_module, module_bytecode, module_text, parse_module
from quantune_mlir.pipeline import registry
from quantune_mlir.pipeline.driver import run_pipeline
from quantune_mlir.pipeline.options import option_names
from quantune_mlir.pipeline.parser import UPSTREAM_PASSES, Pipeline, Step, step_from_flag
from quantune_mlir.pipeline.template import fill_in, parameter_names
from quantune_mlir.printable import shortened

_STDIO: Final = "-"
_SEPARATOR: Final = re.compile(r"^// -----.*$", re.MULTILINE)


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
            formatter.write_dl([(f"--{name}", _help(name)) for name in registry.available()])
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
    help="A parameter of the named pipeline. Repeatable; --list-passes shows which there are.",
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
    if list_passes:
        click.echo(_listing())
        return
    try:
        pipeline = _pipeline(ctx.obj, pass_pipeline, named, settings)
        modules = _read(source, split_input_file, chosen)
        for module in modules:
            _run(module, pipeline, source, verify_each=verify_each, print_after_all=print_ir_after_all)
        if emit_bytecode:
            if len(modules) > 1:
                raise PassError("bytecode holds one module", where="--emit-bytecode --split-input-file")
            data = module_bytecode(modules[0])
        else:
            texts = [
                module_text(module, generic=generic, debug_info=debug_info, elide_above=elide_constants)
                for module in modules
            ]
            data = "// -----\n".join(texts).encode()
        _write(output, data)
    except QuantuneError as error:
        if debug:
            traceback.print_exc()
        click.echo(f"quantune-opt: error: {error}", err=True)
        sys.exit(1)


def _run(module: ir.Module, pipeline: Pipeline, source: str, *, verify_each: bool, print_after_all: bool) -> None:
    """Run the pipeline; that a pass raises anything may be due to the module, which can be any."""
    try:
        run_pipeline(module, pipeline, verify_each=verify_each, print_after_all=print_after_all)
    except QuantuneError:
        raise
    except Exception as error:
        first = next(iter(str(error).splitlines()), "")
        notes = "".join(f", {note}" for note in getattr(error, "__notes__", []))
        raise PassError(
            f"the module cannot be handled{notes}: {type(error).__name__}: {shortened(first)}",
            where=source,
            remedy="if it is valid, report it with what --debug shows",
        ) from error


def _pipeline(flags: list[tuple[str, str]], text: str | None, named: str | None, settings: tuple[str, ...]) -> Pipeline:
    if sum((bool(flags), text is not None, named is not None)) > 1:
        raise PassError("choose one of --pass-pipeline, --pipeline and pass flags")
    if settings and named is None:
        raise PassError("only a named pipeline has parameters", where="--set", remedy="give --pipeline NAME")
    if named is not None:
        return Pipeline.parse(fill_in(resources.pipeline_text(named), _values(settings), name=named))
    if text is not None:
        return Pipeline.parse(text)
    steps: list[Step] = [step_from_flag(name, options) for name, options in flags]
    return Pipeline(tuple(steps))


def _values(settings: tuple[str, ...]) -> dict[str, str]:
    for setting in settings:
        if "=" not in setting:
            raise PassError("not NAME=VALUE", where=f"--set {shortened(setting)}")
    return dict(setting.split("=", 1) for setting in settings)


def _read(source: str, split: bool, imported: dict[str, Any]) -> list[ir.Module]:
    """The modules of a file: MLIR as it stands, a model of another kind as its front end imports it."""
    context = make_context()
    path = Path(source)
    if source != _STDIO and find_front_end(path, otherwise=MLIR) is not MLIR:
        return [load(path, front_end_options(imported), context).module]
    if source != _STDIO:
        refuse_other_kinds(path)
    if source != _STDIO and not split:
        return [load_module(path, context)]
    name = "<stdin>" if source == _STDIO else source
    data = sys.stdin.buffer.read() if source == _STDIO else read_file(path, limit=LARGEST, error=ModelError)
    if not split:
        return [parse_module(data, context, name=name)]
    return [parse_module(chunk, context, name=name) for chunk in _chunks(data.decode("utf-8", errors="replace"))]


def _chunks(text: str) -> list[str]:
    """The pieces between separators, each led by as many empty lines as stand before it in the file."""
    starts = [0, *(match.end() for match in _SEPARATOR.finditer(text))]
    ends = [*(match.start() for match in _SEPARATOR.finditer(text)), len(text)]
    return ["\n" * text.count("\n", 0, start) + text[start:end] for start, end in zip(starts, ends, strict=True)]


def _write(output: str, data: bytes) -> None:
    if output == _STDIO:
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
    else:
        write_atomically(Path(output), data)


def _listing() -> str:
    lines: list[str] = []
    for name in registry.available():
        options = option_names(registry.get(name))
        lines.append(f"{name}{'{' + ' '.join(options) + '}' if options else ''}\n    {_help(name)}")
    return "\n".join([*lines, f"named pipelines: {', '.join(map(_pipeline_title, resources.pipelines()))}"])


def _pipeline_title(name: str) -> str:
    parameters = parameter_names(resources.pipeline_text(name))
    return f"{name}{{{' '.join(parameters)}}}" if parameters else name


def _help(name: str) -> str:
    return (registry.get(name).__doc__ or "").strip().split("\n")[0]


if __name__ == "__main__":
    entry.quantune_opt()
