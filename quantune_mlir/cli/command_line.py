"""The arguments that a command was given, by itself or in a file, to say how its result is made again."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any, Final

import click
from click.core import ParameterSource

_GIVEN: Final = (ParameterSource.COMMANDLINE, ParameterSource.DEFAULT_MAP)


def given_arguments(without: Collection[str] = ()) -> list[str]:
    """The arguments of the running command, but for the parameters `without`, in the order of its declaration."""
    context = click.get_current_context()
    shown = [
        parameter
        for parameter in context.command.params
        if parameter.expose_value
        and parameter.name not in without
        and context.get_parameter_source(parameter.name) in _GIVEN
    ]
    shown.sort(key=lambda parameter: isinstance(parameter, click.Option))
    return [part for parameter in shown for part in _written(parameter, context.params[parameter.name])]


def _written(parameter: click.Parameter, value: Any) -> Iterator[str]:
    """A parameter as it stands on a command line."""
    for each in value if parameter.multiple or parameter.nargs != 1 else (value,):
        if not isinstance(parameter, click.Option):
            yield str(each)
        elif parameter.is_flag:
            names = parameter.opts if each else parameter.secondary_opts
            yield from sorted(names, key=len)[-1:]
        else:
            yield from (max(parameter.opts, key=len), str(each))
