"""A report on learning in a real browser: its figures can be read, light and dark, on a desk and on a phone."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

from finchmark.reports.run_report import report_run

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed (the dev extra has it)")
CHROMIUM = Path("/usr/bin/chromium")
CONTRAST = (Path(__file__).parents[1] / "contrast.js").read_text(encoding="utf-8")
pytestmark = pytest.mark.skipif(not CHROMIUM.exists(), reason=f"there is no browser at {CHROMIUM}")

_spec = importlib.util.spec_from_file_location("finchmark_tests_streamed", Path(__file__).with_name("streamed.py"))
assert _spec is not None
assert _spec.loader is not None
streamed = importlib.util.module_from_spec(_spec)
sys.modules[_spec.name] = streamed
_spec.loader.exec_module(streamed)

CLASHES = """() => [...document.querySelectorAll("svg.plot")].flatMap((svg) => {
  const texts = [...svg.querySelectorAll("text")].map((t) => [t.textContent, t.getBoundingClientRect()]);
  const found = [];
  texts.forEach(([a, p], i) => texts.slice(i + 1).forEach(([b, q]) => {
    const wide = Math.min(p.right, q.right) - Math.max(p.left, q.left);
    const tall = Math.min(p.bottom, q.bottom) - Math.max(p.top, q.top);
    if (wide > 1 && tall > 3) found.push(`${a} / ${b}`);
  }));
  return found;
})"""
CUT = """() => [...document.querySelectorAll("svg.plot")].flatMap((svg) => {
  const box = svg.getBoundingClientRect();
  return [...svg.querySelectorAll("text")]
    .filter((t) => {
      const r = t.getBoundingClientRect();
      return r.left < box.left - 1 || r.right > box.right + 1 || r.bottom > box.bottom + 1 || r.top < box.top - 1;
    })
    .map((t) => t.textContent);
})"""


@pytest.fixture(scope="module", name="browser")
def _browser():
    with playwright.sync_playwright() as p:
        browser = p.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="module", name="page_file")
def _page_file(tmp_path_factory):
    folder = tmp_path_factory.mktemp("learning-browser")
    arms = ("evolving", "frozen", "shuffled", "yoked", "placebo", "compute-matched")
    run = streamed.streamed_run(
        folder / "run", arms=arms, streams=6, lose=lambda arm, stream, checkpoint: (stream, checkpoint) == (1, 5)
    )
    return report_run(run, folder / "report.html")


@pytest.fixture(name="view")
def _view(browser, page_file):
    pages = []

    def view(**options):
        page = browser.new_page(**options)
        pages.append(page)
        page.problems = []
        page.on("console", lambda m: page.problems.append(m.text))
        page.on("pageerror", lambda e: page.problems.append(str(e)))
        page.goto(page_file.as_uri())
        return page

    yield view
    for page in pages:
        page.close()


def test_nothing_goes_wrong_and_no_text_lies_on_another_or_is_cut_off(view):
    page = view(viewport={"width": 1280, "height": 900})
    assert page.problems == []
    assert page.evaluate(CLASHES) == []
    assert page.evaluate(CUT) == []


def test_a_phone_scrolls_no_page_sideways(view):
    page = view(viewport={"width": 360, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") == 360


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_from_its_ground(view, scheme):
    assert view(color_scheme=scheme).evaluate(CONTRAST) >= 4.5


def test_the_verdicts_are_seen_without_scrolling_on_a_desk(view):
    page = view(viewport={"width": 1280, "height": 900})
    region = page.locator('#learning-0 div.scroll[role="region"]')
    assert region.evaluate("e => e.scrollWidth <= e.clientWidth + 1")
