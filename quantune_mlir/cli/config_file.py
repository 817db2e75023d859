"""Options of a command from a YAML file, and the other way round. Its keys are the command's own long options."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from quantune_mlir.cli.reporting import fail
from quantune_mlir.errors import OptionsError, QuantuneError

if TYPE_CHECKING:
    from pydantic import BaseModel

FORMAT: Final = 1
_APART: Final = frozenset({"config", "debug", "json_file", "resume", "scheduler", "help"})
"""What belongs to a call and not to its result."""
_PLACES: Final = frozenset({"output", "force"})
"""What a file may hold, and is not saved."""
_WIDTH: Final = 100


def parameters(command: click.Command) -> dict[str, click.Parameter]:
    """Those that a file may hold, by key."""
    return {
        key_of(parameter): parameter
        for parameter in command.params
        if parameter.expose_value and parameter.name not in _APART
    }


def key_of(parameter: click.Parameter) -> str:
    """`max-drop` for `--max-drop`; an argument's name."""
    if isinstance(parameter, click.Argument):
        return str(parameter.name)
    return max(parameter.opts, key=len).removeprefix("--")


def read(path: Path, command: click.Command) -> dict[str, Any]:
    """What a file says, by the names of the command's parameters. A relative path is one from the file's folder.

    Raises:
        OptionsError: the file cannot be read, or a key or value is not one of the command's; with its line.
    """
    from quantune_mlir.files import yaml_file

    known = parameters(command)
    what = f"a file of options of `quantune {command.name}`"
    text = yaml_file.read(path, error=OptionsError)
    parsed = yaml_file.parse(text, _model(known), error=OptionsError, where=str(path), what=what)
    values = {parameter.name: getattr(parsed, str(parameter.name)) for parameter in known.values()}
    return {
        str(name): _located(value, known_parameter, path.absolute().parent)
        for (name, value), known_parameter in zip(values.items(), known.values(), strict=True)
        if value is not None
    }


def _located(value: Any, parameter: click.Parameter, folder: Path) -> Any:
    """Paths from the folder; what is text to the command, as text."""
    if isinstance(value, list):
        return [_located(each, parameter, folder) for each in value]  # pyright: ignore[reportUnknownVariableType]
    if isinstance(parameter.type, click.Path):
        return str(folder / value)
    return str(value) if isinstance(parameter.type, click.types.StringParamType) else value


def _model(known: Mapping[str, click.Parameter]) -> type[BaseModel]:
    """What checks the content of a file."""
    from typing import Literal

    from pydantic import ConfigDict, Field, create_model

    fields: dict[str, Any] = {"format": (Literal[1], FORMAT)}
    for key, parameter in known.items():
        kind = _kind(parameter)
        if parameter.multiple:
            kind = kind | list[kind]
        fields[str(parameter.name)] = (kind | None, Field(None, alias=key))
    return create_model("Options", __config__=ConfigDict(extra="forbid"), **fields)


def _kind(parameter: click.Parameter) -> Any:
    """The type of a value in the file; the command itself then looks more closely at it."""
    from typing import Annotated, Literal

    from pydantic import Field

    kind = parameter.type
    if isinstance(parameter, click.Option) and parameter.is_flag:
        return Annotated[bool, Field(strict=True)]
    if isinstance(kind, click.Choice):
        return Literal[tuple(kind.choices)]
    if isinstance(kind, click.IntRange):
        return Annotated[int, Field(strict=True, ge=kind.min, le=kind.max)]
    if isinstance(kind, click.types.FloatParamType):
        return float
    if isinstance(kind, click.Path):
        return str
    return str | int | float


def _take(context: click.Context, parameter: click.Parameter, path: Path | None) -> None:
    """The file's values become defaults: what the command line says goes before them."""
    if path is None:
        return
    try:
        context.default_map = read(path, context.command)
    except QuantuneError as error:
        fail(error)


config_option: Final = click.option(
    "--config",
    type=click.Path(path_type=Path),
    metavar="FILE.yaml",
    is_eager=True,
    expose_value=False,
    callback=_take,
    help="Take options from a file, as `quantune init` and an earlier run write it; those given here go before it.",
)


def written(context: click.Context) -> str:
    """The options of a running command as a file: all that shape the result, defaults included, paths absolute."""
    from quantune_mlir.files import yaml_file

    content: dict[str, Any] = {"format": FORMAT}
    for key, parameter in parameters(context.command).items():
        value = _plain(context.params.get(str(parameter.name)))
        if value is not None and value != [] and parameter.name not in _PLACES:
            content[key] = value
    return yaml_file.dump(content)


def _plain(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]  # pyright: ignore[reportUnknownVariableType]
    if isinstance(value, Path):
        return str(value.absolute())
    if isinstance(value, str) and value.endswith(".npy") and "=" in value:
        name, _, file = value.partition("=")
        return f"{name}={Path(file).absolute()}"
    return value


def described(command: click.Command) -> dict[str, Any]:
    """Every option by its key, for programs: whether it must be given, its default, its choices, what it is for."""
    return {
        key: {
            "required": parameter.required,
            "default": _default(parameter),
            "choices": list(parameter.type.choices) if isinstance(parameter.type, click.Choice) else None,
            "help": _help(key, parameter),
        }
        for key, parameter in parameters(command).items()
    }


def commented(command: click.Command) -> str:
    """A file with every option: those that must be given, and as comments all others with their defaults."""
    head = f"# Options of `quantune {command.name}`: quantune {command.name} --config THIS-FILE"
    note = "# Paths are from this file's folder. What the command line says goes before what stands here."
    return "\n".join([head, note, f"format: {FORMAT}", *_entries(command)]) + "\n"


def _entries(command: click.Command) -> Iterator[str]:
    ordered = sorted(parameters(command).items(), key=lambda item: not item[1].required)
    for key, parameter in ordered:
        yield ""
        yield from textwrap.wrap(_help(key, parameter), _WIDTH, initial_indent="# ", subsequent_indent="# ")
        if isinstance(parameter.type, click.Choice):
            yield f"# One of {', '.join(parameter.type.choices)}."
        value = _shown(parameter)
        yield f"{key}: {value}" if parameter.required else f"# {key}: {value}"


def _help(key: str, parameter: click.Parameter) -> str:
    return (parameter.help or "") if isinstance(parameter, click.Option) else f"The {key}'s file."


def _default(parameter: click.Parameter) -> bool | int | float | str | None:
    default = parameter.to_info_dict().get("default")
    return default if isinstance(default, bool | int | float | str) else None


def _shown(parameter: click.Parameter) -> str:
    """The default, or what stands for a value where there is none."""
    default = _default(parameter)
    if default is not None:
        return str(default).lower() if isinstance(default, bool) else str(default)
    if isinstance(parameter, click.Option) and parameter.is_flag:
        return "true"
    if isinstance(parameter.type, click.Choice):
        return str(parameter.type.choices[0])
    shown = (parameter.metavar or str(parameter.name)).upper()
    return f"[{shown}]" if parameter.multiple else shown
