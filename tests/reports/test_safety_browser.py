"""The folded page of several safety tasks in a browser: what a link opens, what is shut, paper."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import finchmark
from finchmark.reports.run_report import report_run
from finchmark.reports.safety import safety_text
from finchmark.suite.backends.scripted import ScriptedBackend
from finchmark.suite.safety import run_safety

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed (the dev extra has it)")
CHROMIUM = Path("/usr/bin/chromium")
CONTRAST = (Path(__file__).parents[1] / "contrast.js").read_text(encoding="utf-8")
pytestmark = pytest.mark.skipif(not CHROMIUM.exists(), reason=f"there is no browser at {CHROMIUM}")

MARKUP = "<script>window.hit=1</script><img src=x onerror='window.hit=1'>"
TASKS = ["misevolution/memory", "misevolution/confabulation", "tipping/bargain"]
CLASHES = """() => [...document.querySelectorAll("svg.plot")].flatMap((svg) => {
  const box = svg.getBoundingClientRect();
  const texts = [...svg.querySelectorAll("text")].map((t) => [t.textContent, t.getBoundingClientRect()]);
  const found = texts.filter(([, r]) => r.left < box.left - 1 || r.right > box.right + 1).map(([a]) => a);
  texts.forEach(([a, p], i) => texts.slice(i + 1).forEach(([b, q]) => {
    const wide = Math.min(p.right, q.right) - Math.max(p.left, q.left);
    const tall = Math.min(p.bottom, q.bottom) - Math.max(p.top, q.top);
    if (wide > 1 && tall > 3) found.push(`${a} / ${b}`);
  }));
  return found;
})"""


def clerk(request):
    """Follows the memory that it is shown, and says it in markup."""
    text = request.messages[-1].content
    table = text.partition("Share of satisfied customers by act: ")[2].partition(".")[0]
    shares = {a: int(s.split(" ")[0]) for a, _, s in (part.partition(": ") for part in table.split("; ")) if s}
    best = max(shares, key=shares.__getitem__) if shares and max(shares.values()) > 90 else "decline"
    return json.dumps({"decision": best, "message": MARKUP, "reason": MARKUP})


@pytest.fixture(scope="module", name="file")
def _file(tmp_path_factory):
    out = tmp_path_factory.mktemp("safety-browser")
    run = finchmark.evaluate(TASKS, ScriptedBackend(function=clerk), tier="smoke", samples=1, out=out / "run")
    return report_run(run, out / "page.html")


@pytest.fixture(scope="module", name="browser")
def _browser():
    with playwright.sync_playwright() as p:
        browser = p.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(name="view")
def _view(browser, file):
    pages = []

    def view(anchor="", **options):
        page = browser.new_page(**options)
        pages.append(page)
        page.problems = []
        page.on("console", lambda m: page.problems.append(m.text))
        page.on("pageerror", lambda e: page.problems.append(str(e)))
        page.goto(file.as_uri() + anchor)
        return page

    yield view
    for page in pages:
        page.close()


def fold(page, task):
    return page.locator("details.fold", has=page.get_by_role("heading", name=task))


def test_a_link_of_the_comparisons_opens_the_fold_of_its_task_without_scripts(view):
    page = view(java_script_enabled=False, viewport={"width": 1280, "height": 900})
    within = fold(page, "misevolution/confabulation").locator(".inside")
    assert not within.is_visible()
    page.locator("#safety-overview").get_by_role("link", name="misevolution/confabulation").first.click()
    assert within.is_visible()
    assert page.url.partition("#")[2].startswith("task-misevolution-confabulation")


def test_an_address_with_an_anchor_opens_what_it_names(view):
    page = view("#kinds", java_script_enabled=False)
    assert page.locator("#kinds").is_visible()
    assert not page.locator("#scores").is_visible()


def test_a_fold_is_opened_with_the_keyboard_and_is_known_to_a_screen_reader(view):
    page = view(viewport={"width": 1280, "height": 900})
    told = fold(page, "misevolution/confabulation")
    told.locator("> summary").focus()
    page.keyboard.press("Enter")
    assert told.locator("> .inside").is_visible()
    page.keyboard.press("Enter")
    assert not told.locator("> .inside").is_visible()
    line = told.locator("> summary").inner_text()
    assert "verdict:" in line
    assert "gate:" in line


def test_what_is_not_passed_by_the_gate_is_shut_and_says_so_on_its_line(view):
    page = view()
    lines = page.locator("#safety-tasks details.fold:not([open]) > summary").all_inner_texts()
    assert any("not measurable" in line and "not passed" in line for line in lines)


def test_paper_has_all_that_is_folded(view):
    page = view(viewport={"width": 1032, "height": 700})  # A4 on its side, less the margins
    assert not page.locator("#scores").is_visible()
    page.emulate_media(media="print")
    assert page.evaluate("document.documentElement.scrollWidth") == 1032
    assert all(page.locator(name).bounding_box()["height"] > 50 for name in ("#scores", "#task-misevolution-memory-2"))
    assert fold(page, "misevolution/memory").locator("> summary").is_visible()


@pytest.mark.parametrize("width", [390, 1200, 1280])
def test_nothing_is_wider_than_the_page_and_the_comparisons_need_no_scrolling_on_a_desk(view, width):
    page = view(viewport={"width": width, "height": 844})
    page.evaluate("document.querySelectorAll('details').forEach((d) => { d.open = true; })")
    assert page.evaluate("document.documentElement.scrollWidth") == width
    if width > 1000:
        table = page.locator("#safety-overview div.scroll")
        assert table.evaluate("e => e.scrollWidth <= e.clientWidth + 1")
        assert page.evaluate(CLASHES) == []


def test_markup_in_replies_is_text_where_it_was_folded(view):
    page = view()
    page.evaluate("document.querySelectorAll('details').forEach((d) => { d.open = true; })")
    assert page.evaluate("window.hit") is None
    assert page.locator("script, img").count() == 0
    page.locator("#more tr", has_text="misevolution/memory").locator("a").first.click()
    assert MARKUP in page.locator("main").inner_text()
    assert page.evaluate("window.hit") is None
    assert page.problems == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_from_its_ground(view, scheme):
    page = view(color_scheme=scheme)
    page.evaluate("document.querySelectorAll('details').forEach((d) => { d.open = true; })")
    assert page.evaluate(CONTRAST) >= 4.5


@pytest.mark.slow
def test_the_whole_group_is_read_on_a_few_screens_and_no_word_of_its_figures_lies_on_another(browser, tmp_path):
    run = finchmark.evaluate("safety", "scripted:always-unsafe", tier="smoke", samples=1, out=tmp_path / "run")
    file = report_run(run, tmp_path / "page.html")
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.goto(file.as_uri())
    page.evaluate("document.querySelectorAll('details').forEach((d) => { d.open = false; })")
    assert page.evaluate("document.documentElement.scrollHeight") < 8000
    top = page.locator("#safety-rounds svg").bounding_box()["y"]
    assert top < 1200
    page.evaluate("document.querySelectorAll('details').forEach((d) => { d.open = true; })")
    assert page.evaluate(CLASHES) == []
    titles = page.locator("#safety-tasks h3").all_inner_texts()
    assert len(titles) == len(set(titles))
    asked = {name for name, sheet in run.manifest.tasks.items() if any(m.role == "safety" for m in sheet.metrics)}
    assert asked <= {title.partition("@")[0] for title in titles}
    page.close()
    text = "\n".join(safety_text(run_safety(run)))
    assert text.index("Safety: the whole run") < text.index("Safety: drift/rewrite")
