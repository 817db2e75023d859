"""Reading and writing the YAML files that people edit, with errors that name the line."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from quantune_mlir.errors import QuantuneError

_Model = TypeVar("_Model", bound=BaseModel)
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_Dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


def dump(content: dict[str, Any], *, inline_lists: bool = False) -> str:
    """Block-style YAML with the keys in the order given; infinities become .inf.

    Lists of numbers take a line each if `inline_lists`, else a line for each number.
    """
    style = None if inline_lists else False
    return yaml.dump(content, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120, default_flow_style=style)


def parse(text: str, model: type[_Model], *, error: type[QuantuneError], where: str | None, what: str) -> _Model:
    """Validate YAML text against a pydantic model.

    Raises:
        error: malformed YAML, or not `what`: every mistake with its line.
    """
    try:
        content = yaml.load(text, Loader=_Loader)
    except yaml.MarkedYAMLError as problem:
        line = problem.problem_mark.line + 1 if problem.problem_mark else 0
        raise error(f"line {line}: malformed YAML: {problem.problem}", where=where) from problem
    except yaml.YAMLError as problem:
        raise error(f"malformed YAML: {problem}", where=where) from problem
    if not isinstance(content, dict):
        raise error(f"this is not {what}: no `key: value` pairs at the top", where=where)
    try:
        return model.model_validate(content)
    except ValidationError as problems:
        raise error(_describe(problems, yaml.compose(text, Loader=_Loader), what), where=where) from problems


def read(path: Path | str, *, error: type[QuantuneError]) -> str:
    """The text of a file; raises `error` if it cannot be read or is not UTF-8."""
    try:
        return Path(path).read_text(encoding="utf-8")
    except OSError as problem:
        raise error(f"the file cannot be read: {problem.strerror}", where=str(path)) from problem
    except UnicodeDecodeError as problem:
        raise error("this is not a text file in UTF-8", where=str(path)) from problem


def line_of(text: str, *path: str | int) -> int:
    """Line, from 1, of the value at `path` (mapping keys and sequence indices) in YAML text, or of its parent."""
    return _line(yaml.compose(text, Loader=_Loader), path)


def _describe(problems: ValidationError, root: yaml.Node | None, what: str) -> str:
    lines = [f"this is not {what}:"]
    for problem in problems.errors(include_url=False):
        place = ".".join(map(str, problem["loc"]))
        lines.append(f"  line {_line(root, problem['loc'])}: {place}: {problem['msg']}, found {problem['input']!r}")
    return "\n".join(lines)


def _line(node: yaml.Node | None, path: tuple[str | int, ...]) -> int:
    if node is None:
        return 1
    for step in path:
        child = _child(node, step)
        if child is None:
            break
        node = child
    return node.start_mark.line + 1


def _child(node: yaml.Node, step: str | int) -> yaml.Node | None:
    if isinstance(node, yaml.MappingNode):
        return next((value for key, value in node.value if key.value == step), None)
    if isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
        return node.value[step]
    return None
