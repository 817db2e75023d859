from __future__ import annotations

import enum
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quantune_mlir.errors import PassError
from quantune_mlir.pipeline import registry
from quantune_mlir.pipeline.base import Pass
from quantune_mlir.pipeline.parser import OwnStep, Pipeline, UpstreamStep
from quantune_mlir.pipeline.pass_options import Option, build, options_of

UPSTREAM = ["cse", "canonicalize{max-iterations=3 top-down=false}", "func.func(cse,canonicalize)", "symbol-dce"]


class Colour(enum.Enum):
    RED = "red"
    DARK_BLUE = "dark-blue"


@dataclass(frozen=True)
class Lines:
    lines: tuple[str, ...]

    @classmethod
    def load(cls, path: Path) -> Lines:
        return cls(tuple(path.read_text().splitlines()))


@dataclass(frozen=True)
class Example(Pass):
    """Does nothing."""

    name: ClassVar[str] = "quantune-example"

    count: int = 1
    keep_ratio: float = 0.5
    fast: bool = False
    title: str = "plain"
    output: Path | None = None
    mode: Literal["slow", "slower"] = "slow"
    colour: Colour = Colour.RED
    limit: int | None = 7
    source: Lines | None = None


@dataclass(frozen=True)
class Demanding(Pass):
    """Needs an option."""

    name: ClassVar[str] = "quantune-demanding"

    size: int


@pytest.fixture(autouse=True)
def example_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    real = registry.get
    passes = {cls.name: cls for cls in (Example, Demanding)}
    monkeypatch.setattr(registry, "PASSES", {**registry.PASSES, **dict.fromkeys(passes, "")})
    monkeypatch.setattr(registry, "get", lambda name: passes.get(name) or real(name))


def only_pass(text: str) -> Pass:
    (step,) = Pipeline.parse(text).steps
    assert isinstance(step, OwnStep)
    return step.pass_


def test_options_of_every_kind_are_parsed_by_annotation(tmp_path: Path) -> None:
    (tmp_path / "in.txt").write_text("a\nb\n")
    text = (
        "builtin.module(quantune-example{count=-3 keep-ratio=1e-2 fast=true title='a b' output=out/x.npz mode=slower "
        f"colour=dark-blue limit=none source={tmp_path / 'in.txt'}}})"
    )
    assert only_pass(text) == Example(
        count=-3,
        keep_ratio=0.01,
        fast=True,
        title="a b",
        output=Path("out/x.npz"),
        mode="slower",
        colour=Colour.DARK_BLUE,
        limit=None,
        source=Lines(("a", "b")),
    )


def test_a_flag_alone_is_true() -> None:
    assert only_pass("quantune-example{fast}") == Example(fast=True)


def test_comments_newlines_and_a_missing_anchor_are_allowed() -> None:
    text = "# first this\nquantune-example{ # options\n count=2\n},\n  cse # then that\n"
    assert str(Pipeline.parse(text)) == "builtin.module(quantune-example{count=2},cse)"


def test_nested_upstream_passes_keep_their_text() -> None:
    steps = Pipeline.parse("func.func( cse, canonicalize{max-iterations=3} ),cse").steps
    assert steps == (UpstreamStep("func.func(cse,canonicalize{max-iterations=3})"), UpstreamStep("cse"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("quantune-example{count=x}", "pipeline:1:1: quantune-example: option 'count': 'x' is not an integer"),
        (
            "cse,\n  quantune-example{keep-ratio=a}",
            "pipeline:2:3: quantune-example: option 'keep-ratio': 'a' is not a n",
        ),
        ("quantune-example{mode=slo}", "'slo' is not a choice\nremedy: did you mean 'slow'?"),
        ("quantune-example{colour=mauve}", "'mauve' is not a choice\nremedy: known: red, dark-blue"),
        ("quantune-example{fast=maybe}", "'maybe' is not a choice"),
        ("quantune-example{count}", "option 'count': needs a value"),
        ("quantune-example{count=1 count=2}", "option 'count': given twice"),
        (
            "quantune-example{keep_ratio=1}",
            "option 'keep_ratio': no such option; 'quantune-example' knows: count, keep-r",
        ),
        ("quantune-example{source=/nowhere/x}", "cannot read '/nowhere/x': No such file or directory"),
        ("quantune-demanding", "pipeline:1:1: quantune-demanding: option(s) required: size"),
        ("quantune-exampel", "pipeline:1:1: unknown pass 'quantune-exampel'\nremedy: did you mean 'quantune-example'?"),
        ("builtin.module(cse", "pipeline:1:19: expected ')', found the end"),
        ("cse,", "pipeline:1:5: expected a pass name, found the end"),
        ("cse)", "pipeline:1:4: expected the end of the pipeline, found ')'"),
        ("quantune-example{count=}", "pipeline:1:24: expected a value, found '}'"),
        ("canonicalize{top-down", "pipeline:1:13: this '{' is never closed"),
        ("func.func(quantune-example)", "'quantune-example' runs on the module and cannot be nested in 'func.func'"),
        ("quantune-example(cse)", "'quantune-example' is a pass, not an op"),
    ],
)
def test_mistakes_are_told_with_their_place(text: str, message: str) -> None:
    with pytest.raises(PassError) as error:
        Pipeline.parse(text)
    assert message in str(error.value)


examples = st.builds(
    Example,
    count=st.integers(),
    keep_ratio=st.floats(allow_nan=False),
    fast=st.booleans(),
    title=st.text(),
    output=st.none() | st.text("ab/ .{}'\"", min_size=1).map(Path),
    mode=st.sampled_from(["slow", "slower"]),
    colour=st.sampled_from(Colour),
    limit=st.none() | st.integers(),
)


@given(st.lists(examples | st.sampled_from(UPSTREAM), max_size=4))
def test_printing_and_parsing_round_trips(items: list[Example | str]) -> None:
    texts = [item if isinstance(item, str) else str(Pipeline.of([item]).steps[0]) for item in items]
    pipeline = Pipeline.parse(f"builtin.module({','.join(texts)})")
    assert Pipeline.parse(str(pipeline)) == pipeline
    passes = [step.pass_ for step in pipeline.steps if isinstance(step, OwnStep)]
    assert passes == [item for item in items if isinstance(item, Example)]


@given(examples)
def test_options_of_a_pass_build_it_again(example: Example) -> None:
    assert build(Example, options_of(example)) == example


def test_only_options_that_differ_from_their_default_are_printed() -> None:
    assert options_of(Example(count=2, limit=None)) == (Option("count", "2"), Option("limit", "none"))


def test_a_text_that_reads_none_is_told_from_no_value() -> None:
    assert only_pass(str(Pipeline.of([Example(title="none", limit=None)]))) == Example(title="none", limit=None)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("func.func(" * 1000 + "cse" + ")" * 1000, "levels of nesting"),
        (",".join(["cse"] * 1000), "more than 256 passes"),
        ("quantune-fuse-kernels{isa=" + "9" * 100_000 + "}", "isa"),
    ],
)
def test_pipelines_without_end(text: str, message: str) -> None:
    with pytest.raises(PassError, match=message):
        Pipeline.parse(text)
