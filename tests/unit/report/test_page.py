"""The report's file: well-formed, self-contained, and harmless whatever names a model has."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser

import pytest

from quantune_mlir.report.page import fragment, page
from quantune_mlir.report.run import Run
from tests.unit.report.runs import HOSTILE, run

VOID = {"meta", "input", "br", "hr", "img", "link"}
ATTRIBUTES_THAT_LOAD = {"src", "href", "srcset", "data", "poster", "action", "formaction", "background", "xlink:href"}


class Reader(HTMLParser):
    """Elements in order, with their text; a tag that does not fit is an error."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: dict[str, list[str]] = {}
        self.feed(text)
        self.close()
        assert self.open == [], "all is closed"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len(dict(attrs)) == len(attrs), f"{tag} has an attribute twice"
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open and self.open[-1] == tag, f"</{tag}> after {self.open}"
        self.open.pop()

    def handle_data(self, data: str) -> None:
        if self.open:
            self.text.setdefault(self.open[-1], []).append(data)


@pytest.fixture(scope="module")
def text() -> str:
    return page(run())


@pytest.fixture(scope="module")
def read(text: str) -> Reader:
    return Reader(text)


def test_loads_nothing(read: Reader, text: str) -> None:
    for tag, attributes in read.tags:
        assert tag not in ("link", "iframe", "object", "embed", "img", "base"), tag
        for name in ATTRIBUTES_THAT_LOAD & attributes.keys():
            assert (attributes[name] or "").startswith("#"), (tag, attributes)
    style = "".join(read.text["style"])
    assert "url(" not in style and "@import" not in style
    (policy,) = [a["content"] for t, a in read.tags if t == "meta" and a.get("http-equiv") == "Content-Security-Policy"]
    assert policy is not None and policy.startswith("default-src 'none';") and "http" not in policy


def test_names_stay_names(read: Reader) -> None:
    harmless = Reader(page(run(hostile=False)))
    assert [tag for tag, _ in read.tags] == [tag for tag, _ in harmless.tags]
    assert not any(name.startswith("on") for _, attributes in read.tags for name in attributes)
    shown = "".join(read.text["button"])
    for name in HOSTILE[:3]:
        assert name in shown
    assert "\u202e" not in shown and "\\u202e" in shown and "\x1b" not in shown


def test_data_is_what_was_given(text: str) -> None:
    (data,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', text, re.S)
    assert "<" not in data and ">" not in data and "&" not in data
    layers = json.loads(data)["layers"]
    assert [layer["name"] for layer in layers[:3]] == list(HOSTILE[:3])
    assert layers[0]["local_sqnr_db"] == "Infinity" and sum(layers[0]["tensors"][0]["counts"]) >= 500
    assert layers[0]["tensors"][0]["clip"] == [-1.28, 1.27]
    assert next(iter(json.loads(data)["metrics"])) == "activation_sqnr_db", "in the order in which they are shown"


def test_is_small(text: str) -> None:
    assert len(text) < 700_000


def test_unmeasured_runs_say_how_to_measure() -> None:
    assert "Not measured yet" in page(run(measured=False)) and "Not measured yet" not in page(run())


def test_runs_of_before_have_a_report() -> None:
    whole = run()
    fields = whole.summary.model_dump(exclude={"front", "costs", "predicted", "verification", "tensors", "command"})
    for layer in fields["layers"]:
        for name in ("decision", "cost", "inputs", "boundaries", "shape", "weights"):
            del layer[name]
    old = Run("old", type(whole.summary).model_validate({**fields, "format": 1}), None)
    read = Reader(page(old))
    ids = {attributes.get("id") for _, attributes in read.tags}
    assert "layers" in ids and not ids & {"front", "network"}


def test_notebooks_get_the_gist() -> None:
    read = Reader(fragment(run()))
    assert "script" not in {tag for tag, _ in read.tags}
    assert HOSTILE[0] in "".join(read.text["td"])
