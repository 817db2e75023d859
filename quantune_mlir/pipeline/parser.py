"""Pass pipelines as text: our passes and those of upstream MLIR and IREE, mixed in one list.

    pipeline := "builtin.module" "(" list ")" | list
    list     := [element ("," element)*]
    element  := name ["(" list ")"] ["{" option* "}"]
    option   := name ["=" (bare | quoted)]

Spaces, newlines and comments from `#` to the end of the line may stand between any two of these. Only upstream
passes may be nested in an op's name, as in `func.func(cse)`; their options are upstream's business and are kept as
they are written.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Final

from quantune_mlir.mlir.bindings import make_context, passmanager
from quantune_mlir.pipeline import registry
from quantune_mlir.pipeline.base import Pass
from quantune_mlir.pipeline.options import Option, build, options_of
from quantune_mlir.pipeline.scanner import Scanner

ANCHOR: Final = "builtin.module"
_DEEPEST: Final = 8
_MOST_STEPS: Final = 256
OWN_PREFIX: Final = "quantune-"


@dataclass(frozen=True)
class OwnStep:
    """One of our passes, with its options as they were written."""

    options: tuple[Option, ...]
    pass_: Pass = field(compare=False)
    name: str

    def __str__(self) -> str:
        options = " ".join(str(option) for option in self.options)
        return f"{self.name}{{{options}}}" if options else self.name


@dataclass(frozen=True)
class UpstreamStep:
    """A pass of upstream MLIR or IREE, or a list of them nested in an op's name, as text."""

    text: str

    def __str__(self) -> str:
        return self.text


Step = OwnStep | UpstreamStep


@dataclass(frozen=True)
class Pipeline:
    """A list of steps. `str()` gives text that `Pipeline.parse` turns into an equal pipeline."""

    steps: tuple[Step, ...]

    def __str__(self) -> str:
        return f"{ANCHOR}({','.join(str(step) for step in self.steps)})"

    @classmethod
    def parse(cls, text: str) -> Pipeline:
        """Parse `text`. Raises PassError that says where the text is wrong."""
        return cls(_parse_pipeline(Scanner(text)))

    @classmethod
    def of(cls, passes: Iterable[Pass]) -> Pipeline:
        """The pipeline of these pass instances."""
        return cls(tuple(OwnStep(options_of(pass_), pass_, pass_.name) for pass_ in passes))


def step_from_flag(name: str, options: str) -> Step:
    """The step of a command-line flag `--name="options"`."""
    return Pipeline.parse(f"{ANCHOR}({name}{{{options}}})" if options else f"{ANCHOR}({name})").steps[0]


def _parse_pipeline(scanner: Scanner) -> tuple[Step, ...]:
    start = scanner.position
    anchored = scanner.try_word() == ANCHOR and scanner.try_symbol("(")
    if not anchored:
        scanner.position = start
    steps = _parse_list(scanner)
    if anchored:
        scanner.expect_symbol(")")
    scanner.expect_end()
    return steps


def _parse_list(scanner: Scanner, depth: int = 0) -> tuple[Step, ...]:
    steps: list[Step] = []
    while scanner.peek() not in ("", ")") or steps:
        steps.append(_parse_element(scanner, depth))
        if len(steps) > _MOST_STEPS:
            raise scanner.error(f"more than {_MOST_STEPS} passes in a list")
        if not scanner.try_symbol(","):
            break
    return tuple(steps)


def _parse_element(scanner: Scanner, depth: int) -> Step:
    scanner.skip_blank()
    start = scanner.position
    name = scanner.expect_word("a pass name")
    if name in registry.PASSES:
        if scanner.peek() == "(":
            raise scanner.error(f"'{name}' is a pass, not an op that passes can be nested in")
        options = _parse_options(scanner)
        with scanner.located(start):
            return OwnStep(tuple(options), build(registry.get(name), options), name)
    if name.startswith(OWN_PREFIX):
        raise scanner.error(f"unknown pass '{name}'", start, remedy=registry.nearest(name, registry.available()))
    return _parse_upstream(scanner, name, start, depth)


def _parse_options(scanner: Scanner) -> Sequence[Option]:
    options: list[Option] = []
    if not scanner.try_symbol("{"):
        return options
    while not scanner.try_symbol("}"):
        name = scanner.expect_word("an option name or '}'")
        if not scanner.try_symbol("="):
            options.append(Option(name, None))
            continue
        value, quoted = scanner.expect_value()
        options.append(Option(name, value, quoted))
    return options


def _parse_upstream(scanner: Scanner, name: str, start: int, depth: int) -> UpstreamStep:
    text = name
    if scanner.try_symbol("("):
        if depth == _DEEPEST:
            raise scanner.error(f"more than {_DEEPEST} levels of nesting", start)
        nested = _parse_list(scanner, depth + 1)
        own = next((step for step in nested if isinstance(step, OwnStep)), None)
        if own is not None:
            raise scanner.error(f"'{own.name}' runs on the module and cannot be nested in '{name}'", start)
        scanner.expect_symbol(")")
        text += f"({','.join(str(step) for step in nested)})"
    if scanner.peek() == "{":
        text += scanner.expect_braces()
    _check_upstream(scanner, name, text, start)
    return UpstreamStep(text)


def _check_upstream(scanner: Scanner, name: str, text: str, start: int) -> None:
    problem = _upstream_problem(text)
    if problem is None:
        return
    if "does not refer to a registered pass" in problem:
        names = [*registry.available(), *registry.UPSTREAM_PASSES]
        raise scanner.error(f"unknown pass '{name}'", start, remedy=registry.nearest(name, names))
    raise scanner.error(f"upstream refuses '{text}': {problem}", start)


@cache
def _upstream_problem(text: str) -> str | None:
    """What MLIR has against the pass `text`, if anything."""
    try:
        passmanager.PassManager.parse(f"{ANCHOR}({text})", make_context())
    except ValueError as error:
        return str(error).strip()
    return None
