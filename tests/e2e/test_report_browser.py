"""The report in a browser: no errors, usable by hand, by keyboard and with a screen reader, quick to open."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from quantune_mlir.model import Model
from quantune_mlir.report.page import page as report_page
from quantune_mlir.report.page import side_by_side
from quantune_mlir.samples.sample_set import SampleSet
from quantune_mlir.workflow.quantization import quantize
from tests.e2e.conftest import DIGITS
from tests.unit.report.runs import HOSTILE, detector, run

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.slow

LARGEST = 3e6
"""Bytes of a report."""

SECONDS = 6.0
"""To open a report; a machine with nothing else to do takes a tenth of it."""


def chromium() -> str | None:
    """A browser of the system's, where playwright has none of its own."""
    return next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with api.sync_playwright() as playwright:
        own = Path(playwright.chromium.executable_path)
        path = str(own) if own.is_file() else chromium()
        if path is None:
            pytest.skip("there is no Chromium: apt-get install chromium, or playwright install chromium")
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("report") / "report.html"
    path.write_text(report_page(run()), encoding="utf-8")
    return path


@pytest.fixture
def page(browser: Browser, file: Path, request: pytest.FixtureRequest) -> Iterator[Page]:
    scheme, width = getattr(request, "param", ("light", 1300))
    context = browser.new_context(color_scheme=scheme, viewport={"width": width, "height": 900}, offline=True)
    page = context.new_page()
    told: list[str] = []
    page.on("console", lambda message: told.append(message.text))
    page.on("pageerror", lambda error: told.append(str(error)))
    page.on("dialog", lambda dialog: told.append(dialog.message))
    asked: list[str] = []
    page.on("request", lambda one: asked.append(one.url))
    begun = time.perf_counter()
    page.goto(file.as_uri())
    page.wait_for_selector("#graph svg")
    assert time.perf_counter() - begun < SECONDS
    yield page
    assert told == [], "no errors, no warnings, no alerts"
    assert [url for url in asked if not url.startswith("data:")] == [file.as_uri()]
    context.close()


TEXTS_INSIDE = """() => [...document.querySelectorAll("#graph .node.int8")].every((node) => {
  const [name, kind, mark] = [...node.querySelectorAll("text")].map((text) => text.getBBox());
  return name.x + name.width <= node.querySelector("rect").getBBox().width && kind.x + kind.width <= mark.x;
})"""
VIEWS = [("light", 1300), ("dark", 1300), ("light", 400)]


@pytest.mark.parametrize("page", VIEWS, indirect=True, ids=["light", "dark", "narrow"])
def test_is_accessible(page: Page) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    page.locator("details").first.evaluate("node => node.open = true")
    for colour in ("precision", "share", "activation_sqnr_db"):
        page.locator(f"input[value={colour}]").check()
        page.locator("#list button.layer").nth(1).click()
        found = axe.run(page)
        assert found.violations_count == 0, found.generate_report()
        if page.locator("#close").is_visible():
            page.locator("#close").click()


def names(page: Page) -> list[str | None]:
    return [row.get_attribute("data-name") for row in page.locator("#list tbody tr:visible").all()]


def test_the_list_is_sorted_and_filtered(page: Page) -> None:
    heading = page.locator("#list th[data-key=index]")
    heading.locator("button").click()
    ascending = names(page)
    assert heading.get_attribute("aria-sort") == "ascending" and len(ascending) == len(HOSTILE)
    heading.locator("button").click()
    assert names(page) == ascending[::-1] and heading.get_attribute("aria-sort") == "descending"
    page.locator("#format").select_option("fp32")
    assert names(page) == ascending[:2:-1] and page.locator("#count").inner_text() == "3 of 6"
    page.locator("#find").fill((ascending[4] or "").upper()[:8])
    assert names(page) == [ascending[4]]


def test_pointing_at_a_plan_shows_its_command(page: Page) -> None:
    point = page.locator("#front-point")
    assert point.inner_text().startswith("★")
    dot = page.locator("#front-plot circle").nth(4)
    dot.hover(force=True)
    assert "--min-sqnr 24" in point.inner_text()
    assert "--min-sqnr 24" in (page.locator("#front-plot svg").text_content() or ""), "beside the plan as well"
    page.locator("#front-plot").focus()
    page.keyboard.press("ArrowRight")
    assert "--min-sqnr 23" in point.inner_text()


def test_a_layer_is_shown_from_the_graph_and_from_the_list(page: Page) -> None:
    title = page.locator("#layer-title")
    page.locator("#graph .node[role=button]").nth(2).click()
    shown = title.inner_text()
    assert page.locator("#list tr.selected").get_attribute("data-name") == shown
    assert page.locator("#layer svg").count() == 2, "histogram and weights"
    assert shown in page.locator("#layer .reason").inner_text()
    page.locator("#graph .node[tabindex='0']").focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    assert title.inner_text() != shown
    assert page.locator("#graph .node.selected").count() == 1


def test_the_graph_is_zoomed_and_shows_boundaries(page: Page) -> None:
    svg = page.locator("#graph svg")
    before = svg.bounding_box()
    page.locator("#zoom-in").click()
    after = svg.bounding_box()
    assert before and after and after["height"] > 1.2 * before["height"]
    assert page.locator("#graph .edge.boundary").count() == 1


def test_prints_all_layers(page: Page) -> None:
    page.emulate_media(media="print")
    assert page.locator("#list tbody tr:visible").count() == len(HOSTILE)
    assert not page.locator("nav").is_visible() and page.locator("#graph svg").is_visible()


def test_runs_side_by_side(browser: Browser, tmp_path: Path) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    file = tmp_path / "compare.html"
    file.write_text(side_by_side(HOSTILE[:2], [run(), run(hostile=False)]), encoding="utf-8")
    page = browser.new_page()
    told: list[str] = []
    page.on("console", lambda message: told.append(message.text))
    page.on("pageerror", lambda error: told.append(str(error)))
    page.goto(file.as_uri())
    assert page.locator("#fronts-plot svg").count() >= 1
    found = axe.run(page)
    assert found.violations_count == 0, found.generate_report()
    assert told == []
    page.close()


def test_a_report_of_a_large_detector_is_small_and_opens_soon(browser: Browser, tmp_path: Path) -> None:
    file = tmp_path / "detector.html"
    file.write_text(report_page(detector(230)), encoding="utf-8")
    assert file.stat().st_size < LARGEST
    page = browser.new_page()
    told: list[str] = []
    page.on("console", lambda message: told.append(message.text))
    page.on("pageerror", lambda error: told.append(str(error)))
    begun = time.perf_counter()
    page.goto(file.as_uri())
    page.wait_for_selector("#graph svg")
    assert time.perf_counter() - begun < SECONDS
    assert page.locator("#graph .node[role=button]").count() == page.locator("#list tbody tr").count() == 230
    assert page.evaluate(TEXTS_INSIDE), "no text goes beyond its node, or over the format"
    assert told == []
    page.close()


def test_a_report_of_the_sample_network(browser: Browser, tmp_path: Path) -> None:
    model = Model.load(DIGITS / "digits.onnx")
    samples = SampleSet.open(DIGITS / "digits_calibration.npz", model.inputs, count=8)
    quantize(model, samples).report(tmp_path / "report.html")
    page = browser.new_page()
    told: list[str] = []
    page.on("console", lambda message: told.append(message.text))
    page.on("pageerror", lambda error: told.append(str(error)))
    page.goto((tmp_path / "report.html").as_uri())
    page.wait_for_selector("#graph svg")
    assert page.locator("#graph .node[role=button]").count() == page.locator("#list tbody tr").count() == 12
    for row in range(12):
        page.locator("#list button.layer").nth(row).click()
        assert page.locator("#layer .reason").inner_text() != ""
    page.locator("#list button.layer", has_text="depthwise/conv").click()
    assert "after depthwise/relu6" in page.locator("#layer h3").first.inner_text(), "its clamp folds into it"
    assert told == []
    page.close()
