"""Pass options: the fields of a pass's dataclass, to and from text, by their annotations."""

from __future__ import annotations

import dataclasses
import enum
import types
import typing
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from quantune_mlir.errors import PassError
from quantune_mlir.pipeline.base import Pass
from quantune_mlir.pipeline.registry import nearest
from quantune_mlir.pipeline.scanner import BARE_VALUE

NONE: Final = "none"
TRUTH: Final = {"true": True, "1": True, "false": False, "0": False}


@dataclasses.dataclass(frozen=True)
class Option:
    """One `name=value` as written. `value` is unquoted; a flag written alone has `value` None.

    A program may give another object than text, which is the option's value itself; only people can read how it shows.
    """

    name: str
    value: object
    quoted: bool = False

    def __str__(self) -> str:
        if self.value is None:
            return self.name
        if not isinstance(self.value, str):
            return f"{self.name}={_shown(self.value)}"
        return f"{self.name}={quote(self.value) if self.quoted else self.value}"


def quote(text: str) -> str:
    """`text` between double quotes, with backslash escapes."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def option_names(cls: type[Pass]) -> list[str]:
    """The options a pass takes, as spelled on the command line."""
    return [field.name.replace("_", "-") for field in dataclasses.fields(cls)]


def build(cls: type[Pass], options: Sequence[Option]) -> Pass:
    """An instance of `cls` with `options`. Raises PassError for unknown, repeated, missing or malformed ones."""
    hints = typing.get_type_hints(cls)
    known = option_names(cls)
    values: dict[str, Any] = {}
    for option in options:
        where = f"{cls.name}: option '{option.name}'"
        field = option.name.replace("-", "_")
        if option.name not in known:
            raise PassError(f"no such option; '{cls.name}' knows: {', '.join(known) or 'none'}", where=where)
        if field in values:
            raise PassError("given twice", where=where)
        values[field] = _parse(option, hints[field], where)
    required = [f.name for f in dataclasses.fields(cls) if _is_required(f) and f.name not in values]
    if required:
        missing = ", ".join(name.replace("_", "-") for name in required)
        raise PassError(f"option(s) required: {missing}", where=cls.name)
    return cls(**values)


def options_of(pass_: Pass) -> tuple[Option, ...]:
    """The options with which `build` makes `pass_` again: those that differ from their defaults.

    A value that was loaded from a file shows as `<ClassName>`, which only people can read.
    """
    options: list[Option] = []
    for field in dataclasses.fields(pass_):
        value = getattr(pass_, field.name)
        if _is_required(field) or value != _default(field):
            options.append(_print(field.name.replace("_", "-"), value))
    return tuple(options)


def _is_required(field: dataclasses.Field[Any]) -> bool:
    return field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING


def _default(field: dataclasses.Field[Any]) -> Any:
    return field.default if field.default_factory is dataclasses.MISSING else field.default_factory()


def _parse(option: Option, annotation: Any, where: str) -> Any:
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin in (typing.Union, types.UnionType):
        inner = [argument for argument in arguments if argument is not type(None)]
        if option.value == NONE and not option.quoted:
            return None
        return _parse(option, inner[0], where)
    if annotation is bool and option.value is None:
        return True
    if option.value is None:
        raise PassError(f"needs a value: '{option.name}=...'", where=where)
    text = option.value
    if not isinstance(text, str):
        if isinstance(annotation, type) and isinstance(text, annotation):
            return text
        raise TypeError(f"{where}: {text!r} is no {annotation}")
    if annotation is bool:
        return choose(text, TRUTH, where)
    if origin is typing.Literal:
        return choose(text, {str(choice): choice for choice in arguments}, where)
    if isinstance(annotation, type) and issubclass(annotation, enum.Enum):
        return choose(text, {str(member.value): member for member in annotation}, where)
    if annotation in (int, float):
        try:
            return annotation(text)
        except ValueError:
            kind = "an integer" if annotation is int else "a number"
            raise PassError(f"'{text}' is not {kind}", where=where) from None
    if annotation in (str, Path):
        return annotation(text)
    if hasattr(annotation, "load"):
        try:
            return annotation.load(Path(text))
        except OSError as error:
            raise PassError(f"cannot read '{text}': {error.strerror}", where=where) from error
    raise PassError("is an object that a program gives, not text", where=where)


def choose(text: str, choices: dict[str, Any], where: str | None) -> Any:
    """What `text` chooses. Raises PassError, with the nearest choice, if it chooses nothing."""
    if text not in choices:
        raise PassError(f"'{text}' is not a choice", where=where, remedy=nearest(text, list(choices)))
    return choices[text]


def _print(name: str, value: Any) -> Option:
    if value is None:
        return Option(name, NONE)
    if isinstance(value, bool):
        return Option(name, str(value).lower())
    if isinstance(value, enum.Enum):
        return Option(name, str(value.value))
    if isinstance(value, str):
        return Option(name, value, quoted=value == NONE or not BARE_VALUE.fullmatch(value))
    if isinstance(value, Path):
        return _print(name, str(value))
    if isinstance(value, int | float):
        return Option(name, str(value))
    return Option(name, _shown(value))


def _shown(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else f"<{type(value).__name__}>"
