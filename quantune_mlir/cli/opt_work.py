"""What quantune-opt does: reads modules, runs a pipeline over them, writes them."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any, Final

from quantune_mlir.cli.model_options import front_end_options
from quantune_mlir.errors import ModelError, PassError, QuantuneError
from quantune_mlir.files import resources
from quantune_mlir.files.access import read_file, write_atomically
from quantune_mlir.importers.front_ends import MLIR, find_front_end, load
from quantune_mlir.importers.kinds import refuse_other_kinds
from quantune_mlir.mlir.bindings import ir, make_context
from quantune_mlir.mlir.text import LARGEST, load_module, module_bytecode, module_text, parse_module
from quantune_mlir.pipeline import registry
from quantune_mlir.pipeline.driver import run_pipeline
from quantune_mlir.pipeline.parser import Pipeline, Step, step_from_flag
from quantune_mlir.pipeline.pass_options import option_names
from quantune_mlir.pipeline.pipeline_parameters import parameter_names
from quantune_mlir.printable import shortened

STDIO: Final = "-"
_SEPARATOR: Final = re.compile(r"^// -----.*$", re.MULTILINE)


def run(module: ir.Module, pipeline: Pipeline, source: str, *, verify_each: bool, print_after_all: bool) -> None:
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


def pipeline(flags: list[tuple[str, str]], text: str | None, named: str | None, settings: tuple[str, ...]) -> Pipeline:
    """What is to run: passes given as flags, text, or a named pipeline. Raises PassError."""
    if sum((bool(flags), text is not None, named is not None)) > 1:
        raise PassError("choose one of --pass-pipeline, --pipeline and pass flags")
    if settings and named is None and text is None:
        raise PassError("only a pipeline has parameters", where="--set", remedy="give --pipeline NAME")
    if named is not None:
        return Pipeline.named(named, _values(settings))
    if text is not None:
        return Pipeline.parse(text, _values(settings))
    steps: list[Step] = [step_from_flag(name, options) for name, options in flags]
    return Pipeline(tuple(steps))


def _values(settings: tuple[str, ...]) -> dict[str, str]:
    for setting in settings:
        if "=" not in setting:
            raise PassError("not NAME=VALUE", where=f"--set {shortened(setting)}")
    return dict(setting.split("=", 1) for setting in settings)


def read(source: str, split: bool, imported: dict[str, Any]) -> list[ir.Module]:
    """The modules of a file: MLIR as it stands, a model of another kind as its front end imports it."""
    context = make_context()
    path = Path(source)
    if source != STDIO and find_front_end(path, otherwise=MLIR) is not MLIR:
        return [load(path, front_end_options(imported), context).module]
    if source != STDIO:
        refuse_other_kinds(path)
    if source != STDIO and not split:
        return [load_module(path, context)]
    name = "<stdin>" if source == STDIO else source
    data = sys.stdin.buffer.read() if source == STDIO else read_file(path, limit=LARGEST, error=ModelError)
    if not split:
        return [parse_module(data, context, name=name)]
    return [parse_module(chunk, context, name=name) for chunk in _chunks(data.decode("utf-8", errors="replace"))]


def _chunks(text: str) -> list[str]:
    """The pieces between separators, each led by as many empty lines as stand before it in the file."""
    starts = [0, *(match.end() for match in _SEPARATOR.finditer(text))]
    ends = [*(match.start() for match in _SEPARATOR.finditer(text)), len(text)]
    return ["\n" * text.count("\n", 0, start) + text[start:end] for start, end in zip(starts, ends, strict=True)]


def write(output: str, data: bytes) -> None:
    """To a file, or to stdout."""
    if output == STDIO:
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
    else:
        write_atomically(Path(output), data)


def listing() -> str:
    """All passes with their options, and the named pipelines."""
    lines: list[str] = []
    for name in registry.available():
        options = option_names(registry.get(name))
        lines.append(f"{name}{'{' + ' '.join(options) + '}' if options else ''}\n    {registry.summary(name)}")
    return "\n".join([*lines, f"named pipelines: {', '.join(map(_pipeline_title, resources.pipelines()))}"])


def _pipeline_title(name: str) -> str:
    parameters = parameter_names(resources.pipeline_text(name))
    return f"{name}{{{' '.join(parameters)}}}" if parameters else name


def encoded(
    modules: list[ir.Module], *, bytecode: bool, generic: bool, debug_info: bool, elide_above: int | None
) -> bytes:
    """Modules as they are written. Raises PassError if bytecode is asked for of several."""
    if bytecode:
        if len(modules) > 1:
            raise PassError("bytecode holds one module", where="--emit-bytecode --split-input-file")
        return module_bytecode(modules[0])
    texts = [module_text(module, generic=generic, debug_info=debug_info, elide_above=elide_above) for module in modules]
    return "// -----\n".join(texts).encode()
