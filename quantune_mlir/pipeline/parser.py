"""Pass pipelines as text: our passes and those of upstream MLIR and IREE, mixed in one list.

    pipeline  := "builtin.module" "(" list ")" | list
    list      := [element ("," element)*]
    element   := name ["(" list ")"] ["{" option* "}"]
               | "if" parameter "{" list "}"
               | "include" name
    option    := name ["=" (bare | quoted | parameter)]
    parameter := "${" name ["?" | "=" default] "}"

Spaces, newlines and comments from `#` to the end of the line may stand between any two of these. Only upstream
passes may be nested in an op's name, as in `func.func(cse)`; their options are upstream's business and are kept as
they are written. The list of an `if` runs where its parameter is true. `include` puts another named pipeline in its
place, and hands the values of parameters on. Once parsed, a pipeline is a plain list of passes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from quantune_mlir.files import resources
from quantune_mlir.pipeline import registry
from quantune_mlir.pipeline.base import Pass
from quantune_mlir.pipeline.pass_options import TRUTH, Option, build, choose, options_of
from quantune_mlir.pipeline.pipeline_parameters import INCLUDE, Parameter, require_values
from quantune_mlir.pipeline.scanner import Scanner
from quantune_mlir.pipeline.upstream import ANCHOR, check_upstream

OWN_PREFIX: Final = "quantune-"
_IF: Final = "if"
_DEEPEST: Final = 8
_MOST_STEPS: Final = 256


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
    def parse(cls, text: str, values: Mapping[str, object] | None = None) -> Pipeline:
        """Parse `text`; see `named` for `values`. Raises PassError that says where the text is wrong."""
        require_values(text, values or {}, "pipeline")
        return cls(_Parser(Scanner(text), values or {}).pipeline())

    @classmethod
    def named(cls, name: str, values: Mapping[str, object]) -> Pipeline:
        """pipelines/`name`.pipeline with its parameters' values: text, as on a command line, or what the text is of.

        Raises:
            PassError: there is no such pipeline or parameter, a value is missing, or the text is wrong, and where.
        """
        text = resources.pipeline_text(name)
        require_values(text, values, f"pipeline '{name}'")
        return cls(_Parser(Scanner(text, _title(name)), values, (name,)).pipeline())

    @classmethod
    def of(cls, passes: Iterable[Pass]) -> Pipeline:
        """The pipeline of these pass instances."""
        return cls(tuple(OwnStep(options_of(pass_), pass_, pass_.name) for pass_ in passes))


def step_from_flag(name: str, options: str) -> Step:
    """The step of a command-line flag `--name="options"`."""
    return Pipeline.parse(f"{ANCHOR}({name}{{{options}}})" if options else f"{ANCHOR}({name})").steps[0]


def _title(name: str) -> str:
    return f"{name}.pipeline"


class _Parser:
    """Reads one text.

    Attributes:
        values: of parameters.
        within: the pipelines that include this one, and itself.
    """

    def __init__(self, scanner: Scanner, values: Mapping[str, object], within: tuple[str, ...] = ()) -> None:
        self.scanner = scanner
        self.values = values
        self.within = within

    def pipeline(self, *, runs: bool = True) -> tuple[Step, ...]:
        """The whole text. Of what does not run, passes are not made."""
        scanner = self.scanner
        start = scanner.position
        anchored = scanner.try_word() == ANCHOR and scanner.try_symbol("(")
        if not anchored:
            scanner.position = start
        steps = self._list(runs=runs)
        if anchored:
            scanner.expect_symbol(")")
        scanner.expect_end()
        return steps

    def _list(self, depth: int = 0, *, runs: bool) -> tuple[Step, ...]:
        steps: list[Step] = []
        written = 0
        while self.scanner.peek() not in ("", ")", "}") or written:
            steps += self._element(depth, runs=runs)
            written += 1
            if written > _MOST_STEPS:
                raise self.scanner.error(f"more than {_MOST_STEPS} passes in a list")
            if not self.scanner.try_symbol(","):
                break
        return tuple(steps)

    def _element(self, depth: int, *, runs: bool) -> tuple[Step, ...]:
        scanner = self.scanner
        scanner.skip_blank()
        start = scanner.position
        name = scanner.expect_word("a pass name")
        if name == _IF:
            return self._conditional(depth, runs=runs)
        if name == INCLUDE:
            return self._included(runs=runs)
        if name in registry.PASSES:
            return self._own(name, start, runs=runs)
        if name.startswith(OWN_PREFIX):
            raise scanner.error(f"unknown pass '{name}'", start, remedy=registry.nearest(name, registry.available()))
        return (self._upstream(name, start, depth, runs=runs),)

    def _conditional(self, depth: int, *, runs: bool) -> tuple[Step, ...]:
        scanner = self.scanner
        scanner.skip_blank()
        start = scanner.position
        match = scanner.try_parameter()
        if match is None:
            raise scanner.error("'if' asks a parameter: 'if ${name} { ... }'")
        parameter = Parameter.of(match)
        value = parameter.value(self.values) or False
        with scanner.located(start):
            holds = value if isinstance(value, bool) else choose(str(value), TRUTH, f"'if ${{{parameter.name}}}'")
        scanner.expect_symbol("{")
        steps = self._list(self._deeper(depth, start), runs=runs and holds)
        scanner.expect_symbol("}")
        return steps if holds else ()

    def _included(self, *, runs: bool) -> tuple[Step, ...]:
        self.scanner.skip_blank()
        start = self.scanner.position
        name = self.scanner.expect_word("the name of a pipeline")
        if name in self.within:
            raise self.scanner.error(f"the pipeline '{name}' includes itself", start)
        with self.scanner.located(start):
            text = resources.pipeline_text(name)
        return _Parser(Scanner(text, _title(name)), self.values, (*self.within, name)).pipeline(runs=runs)

    def _own(self, name: str, start: int, *, runs: bool) -> tuple[Step, ...]:
        scanner = self.scanner
        if scanner.peek() == "(":
            raise scanner.error(f"'{name}' is a pass, not an op that passes can be nested in")
        options = self._options()
        if not runs:
            return ()
        with scanner.located(start):
            return (OwnStep(tuple(options), build(registry.get(name), options), name),)

    def _options(self) -> Sequence[Option]:
        scanner = self.scanner
        options: list[Option] = []
        if not scanner.try_symbol("{"):
            return options
        while not scanner.try_symbol("}"):
            name = scanner.expect_word("an option name or '}'")
            if not scanner.try_symbol("="):
                options.append(Option(name, None))
            elif (match := scanner.try_parameter()) is None:
                options.append(Option(name, *scanner.expect_value()))
            elif (value := Parameter.of(match).value(self.values)) is not None:
                # A text given from outside means itself, even if it reads "none".
                options.append(Option(name, value, quoted=self.values.get(match["parameter"]) is not None))
        return options

    def _upstream(self, name: str, start: int, depth: int, *, runs: bool) -> UpstreamStep:
        scanner, text = self.scanner, name
        if scanner.try_symbol("("):
            nested = self._list(self._deeper(depth, start), runs=runs)
            own = next((step for step in nested if isinstance(step, OwnStep)), None)
            if own is not None:
                raise scanner.error(f"'{own.name}' runs on the module and cannot be nested in '{name}'", start)
            scanner.expect_symbol(")")
            text += f"({','.join(str(step) for step in nested)})"
        if scanner.peek() == "{":
            text += scanner.expect_braces()
        check_upstream(scanner, name, text, start)
        return UpstreamStep(text)

    def _deeper(self, depth: int, start: int) -> int:
        if depth == _DEEPEST:
            raise self.scanner.error(f"more than {_DEEPEST} levels of nesting", start)
        return depth + 1
