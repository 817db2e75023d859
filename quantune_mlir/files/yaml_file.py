"""Reading and writing the YAML files that people edit, with errors that name the line."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from quantune_mlir.errors import QuantuneError
from quantune_mlir.files.access import MIB, read_file
from quantune_mlir.files.format_versions import check_version, known_versions
from quantune_mlir.printable import shortened

_Model = TypeVar("_Model", bound=BaseModel)
_REMEDY: Final = "docs/formats.md tells what such a file holds"
_LARGEST: Final = 16 * MIB
_DEEPEST: Final = 20
_LONGEST_NUMBER: Final = 64
_SHOWN: Final = 10
_NUMBER: Final = re.compile(r"[-+.\d][-+.\dxob_:a-fA-F]*")
_Parser: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_Dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


_RESOLVERS: Final = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in _Parser.yaml_implicit_resolvers.items()
}
_Loader: Any = type("_Loader", (_Parser,), {"yaml_implicit_resolvers": _RESOLVERS})
"""Without dates: a layer may be called 2001-01-01."""


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
        _require_plain(text)
        loader = _Loader(text)
        root = loader.get_single_node()
        _require_single_keys(root)
        content = None if root is None else loader.construct_document(root)
    except yaml.MarkedYAMLError as problem:
        line = problem.problem_mark.line + 1 if problem.problem_mark else 0
        raise error(f"line {line}: malformed YAML: {problem.problem}", where=where, remedy=_REMEDY) from problem
    except (yaml.YAMLError, ValueError, TypeError, KeyError, OverflowError, RecursionError) as problem:
        raise error(f"malformed YAML: {problem}", where=where, remedy=_REMEDY) from problem
    if not isinstance(content, dict):
        raise error(f"this is not {what}: no `key: value` pairs at the top", where=where, remedy=_REMEDY)
    if known := known_versions(model):
        check_version(content.get("format"), known, error=error, where=where, line=line_of(text, "format"))
    try:
        return model.model_validate(content)
    except ValidationError as problems:
        raise error(_describe(problems, root, what), where=where, remedy=_REMEDY) from problems


def read(path: Path | str, *, error: type[QuantuneError]) -> str:
    """The text of a file; raises `error` if it cannot be read or is not UTF-8."""
    try:
        return read_file(Path(path), limit=_LARGEST, error=error).decode("utf-8")
    except UnicodeDecodeError as problem:
        raise error("this is not a text file in UTF-8", where=str(path), remedy=_REMEDY) from problem


def _require_plain(text: str) -> None:
    """Raises MarkedYAMLError for what our files do not have, and bombs are made of."""
    depth = 0
    for event in yaml.parse(text, Loader=_Loader):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > _DEEPEST:
            what = f"more than {_DEEPEST} levels"
        elif isinstance(event, yaml.AliasEvent):
            what = "aliases are not allowed"
        elif isinstance(event, yaml.ScalarEvent | yaml.CollectionStartEvent) and event.tag is not None:
            what = "tags are not allowed"
        elif isinstance(event, yaml.ScalarEvent) and event.implicit[0] and _is_long_number(event.value):
            what = f"a number of {len(event.value)} characters"
        else:
            continue
        raise yaml.MarkedYAMLError(problem=what, problem_mark=event.start_mark)


def _require_single_keys(node: yaml.Node | None) -> None:
    """Raises MarkedYAMLError for a key that stands twice: YAML's readers take the last one, and people the first."""
    if isinstance(node, yaml.SequenceNode):
        for each in node.value:
            _require_single_keys(each)
    if isinstance(node, yaml.MappingNode):
        known: set[str] = set()
        for key, value in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value in known:
                raise yaml.MarkedYAMLError(
                    problem=f"{shortened(key.value)!r} stands twice", problem_mark=key.start_mark
                )
            known.add(key.value if isinstance(key, yaml.ScalarNode) else "")
            _require_single_keys(value)


def _is_long_number(value: str) -> bool:
    return len(value) > _LONGEST_NUMBER and _NUMBER.fullmatch(value) is not None


def line_of(text: str, *path: str | int) -> int:
    """Line, from 1, of the value at `path` (mapping keys and sequence indices) in YAML text, or of its parent."""
    return _line(yaml.compose(text, Loader=_Loader), path)


def _describe(problems: ValidationError, root: yaml.Node | None, what: str) -> str:
    lines = [f"this is not {what}:"]
    found = problems.errors(include_url=False)
    for problem in found[:_SHOWN]:
        place = shortened(".".join(map(str, problem["loc"])))
        lines.append(f"  line {_line(root, problem['loc'])}: {place}: {_said(problem)}")
    if len(found) > _SHOWN:
        lines.append(f"  and {len(found) - _SHOWN} more")
    return "\n".join(lines)


def _said(problem: Mapping[str, Any]) -> str:
    match problem["type"]:
        case "missing":
            return "is missing"
        case "extra_forbidden":
            return "there is no such key"
        case _:
            return f"{problem['msg'].removeprefix('Value error, ')}, found {shortened(repr(problem['input']))}"


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
