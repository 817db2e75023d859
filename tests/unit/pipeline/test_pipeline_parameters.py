from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import pytest

from quantune_mlir.errors import PassError
from quantune_mlir.files import resources
from quantune_mlir.numerics.profile import Profile
from quantune_mlir.pipeline import registry
from quantune_mlir.pipeline.base import Pass
from quantune_mlir.pipeline.parser import OwnStep, Pipeline
from quantune_mlir.pipeline.pipeline_parameters import parameter_names
from quantune_mlir.planning.plan import ALL_INT8


@dataclass(frozen=True)
class Reader(Pass):
    """Takes a profile."""

    name: ClassVar[str] = "quantune-reader"

    profile: Profile | None = None
    mode: Literal["fast", "slow"] = "slow"
    title: str = ""


FAST = "quantune-reader{title=${title} mode=${mode=fast}}"
PROFILE = Profile("hash", 1, {})


@pytest.fixture(autouse=True)
def reader(monkeypatch: pytest.MonkeyPatch) -> None:
    real = registry.get
    monkeypatch.setattr(registry, "PASSES", {**registry.PASSES, Reader.name: ""})
    monkeypatch.setattr(registry, "get", lambda name: Reader if name == Reader.name else real(name))


def passes(text: str, **values: object) -> list[Pass]:
    return [step.pass_ for step in Pipeline.parse(text, values).steps if isinstance(step, OwnStep)]


def test_names_stand_in_order_and_not_in_comments_or_quotes() -> None:
    text = "a{x=${file} y='${quoted}'}, # ${comment}\nif ${on?} { a{x=${file} y=${mode=fast}} }"
    assert parameter_names(text) == ["file", "on", "mode"]


def test_values_come_from_outside_or_from_the_text_or_from_the_pass() -> None:
    assert passes(FAST, title="a b") == [Reader(title="a b", mode="fast")]
    assert passes(FAST, title="x", mode="slow") == [Reader(title="x", mode="slow")]
    optional = "quantune-reader{title=${title?} mode=${mode?}}"
    assert passes(optional) == passes(optional, title=None) == [Reader()]
    assert passes(optional, title="none") == [Reader(title="none")]


def test_a_program_gives_objects_which_show_as_what_they_are() -> None:
    pipeline = Pipeline.parse("quantune-reader{profile=${profile}}", {"profile": PROFILE})
    assert str(pipeline) == "builtin.module(quantune-reader{profile=<Profile>})"
    (step,) = pipeline.steps
    assert isinstance(step, OwnStep) and isinstance(step.pass_, Reader) and step.pass_.profile is PROFILE
    with pytest.raises(TypeError, match=r"option 'profile'.*PrecisionPlan"):
        passes("quantune-reader{profile=${profile}}", profile=ALL_INT8)


@pytest.mark.parametrize(
    ("given", "runs"), [({}, False), ({"on": "true"}, True), ({"on": "0"}, False), ({"on": True}, True)]
)
def test_conditions(given: dict[str, object], runs: bool) -> None:
    text = "builtin.module(if ${on=false} { quantune-reader, cse }, quantune-reader{title=always})"
    expected = "quantune-reader,cse," if runs else ""
    assert str(Pipeline.parse(text, given)) == f"builtin.module({expected}quantune-reader{{title=always}})"


def test_what_does_not_run_is_read_but_not_made() -> None:
    text = "if ${on?} { quantune-reader{profile=/nowhere.npz}, if ${too=true} { quantune-reader } }"
    assert passes(text) == []
    with pytest.raises(PassError, match="unknown pass 'quantune-redaer'"):
        passes("if ${on?} { quantune-redaer }")


@pytest.mark.parametrize(
    ("text", "values", "expected"),
    [
        (FAST, {}, "pipeline: needs a value for title\nremedy: give --set title=..."),
        (FAST, {"title": "x", "mod": "y"}, "pipeline: no parameter 'mod'\nremedy: did you mean 'mode'?"),
        ("cse", {"mode": "y"}, "pipeline: no parameter 'mode'"),
        ("cse,\nif ${on} { cse }", {"on": "maybe"}, "pipeline:2:4: 'if ${on}': 'maybe' is not a choice"),
        ("if on { cse }", {}, "pipeline:1:4: 'if' asks a parameter"),
        ("if ${on?} cse", {}, "pipeline:1:11: expected '{', found 'c'"),
        ("if ${on?} { cse", {}, "pipeline:1:16: expected '}', found the end"),
        ("quantune-reader{title=${}}", {}, "pipeline:1:23: expected '${name}'"),
        ("include nothing", {}, "pipeline:1:9: unknown pipeline 'nothing'"),
        (FAST, {"title": "x", "mode": "mad"}, "pipeline:1:1: quantune-reader: option 'mode': 'mad' is not a choice"),
    ],
)
def test_mistakes_are_told_with_their_place(text: str, values: dict[str, object], expected: str) -> None:
    with pytest.raises(PassError) as caught:
        Pipeline.parse(text, values)
    assert str(caught.value).startswith(expected)


def test_included_pipelines_take_the_values_and_are_named_in_errors(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = {"outer": "include inner, cse", "inner": "\n" + FAST, "loop": "include loop"}
    monkeypatch.setattr(resources, "pipelines", lambda: ["inner", "outer"])
    monkeypatch.setattr(resources, "pipeline_text", texts.__getitem__)
    assert str(Pipeline.named("outer", {"title": "x"})) == 'builtin.module(quantune-reader{title="x" mode=fast},cse)'
    with pytest.raises(PassError, match="pipeline 'outer': needs a value for title"):
        Pipeline.named("outer", {})
    with pytest.raises(PassError, match=r"inner\.pipeline:2:1: quantune-reader: option 'mode'"):
        Pipeline.named("outer", {"title": "x", "mode": "mad"})
    with pytest.raises(PassError, match=r"loop\.pipeline:1:9: the pipeline 'loop' includes itself"):
        Pipeline.named("loop", {})


@pytest.mark.parametrize("name", resources.pipelines())
def test_named_pipelines_parse(name: str) -> None:
    values = {"profile": PROFILE, "plan": ALL_INT8, "isa": "generic", "correct_bias": True, "equalize": True}
    known = parameter_names(resources.pipeline_text(name))
    assert Pipeline.named(name, {key: value for key, value in values.items() if key in known}).steps
