"""Reports in a real browser: nothing is asked for, hostile text does nothing, all of it can be read."""

from pathlib import Path

import pytest

from finchmark.reports.pair_report import report_pair
from finchmark.reports.run_report import report_run
from finchmark.suite.comparison import compare
from finchmark.suite.records import Metric
from finchmark.suite.results import from_run

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed (the dev extra has it)")
CHROMIUM = Path("/usr/bin/chromium")
CONTRAST = (Path(__file__).parents[1] / "contrast.js").read_text(encoding="utf-8")
pytestmark = pytest.mark.skipif(not CHROMIUM.exists(), reason=f"there is no browser at {CHROMIUM}")


@pytest.fixture(scope="module", name="browser")
def _browser():
    with playwright.sync_playwright() as p:
        browser = p.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(name="view")
def _view(browser, tmp_path):
    pages = []

    def view(*runs, **options):
        page = browser.new_page(**options)
        pages.append(page)
        page.problems, page.requests = [], []
        page.on("console", lambda m: page.problems.append(m.text))
        page.on("pageerror", lambda e: page.problems.append(str(e)))
        page.on("request", lambda r: page.requests.append(r.url))
        out = tmp_path / "report"
        file = report_run(*runs, out) if len(runs) == 1 else report_pair(*runs, out, compare([*map(from_run, runs)]))
        page.goto(file.as_uri())
        return page

    yield view
    for page in pages:
        page.close()


@pytest.fixture(name="run")
def _run(make_run):
    results = {str(i): [1, i % 2, "invalid:cut off", "error:down"] for i in range(12)}
    return make_run(
        {"a-long-name-of-an-arm-that-goes-on-and-on": results, "two": results},
        task="a-family-of-tasks/a-task-with-a-long-name",
        length=lambda item, sample: 180 - sample,
        unusable=[1],
        scores=[{"a_number_with_a_long_name": 0.5}] * 3,
    )


@pytest.fixture(name="two", params=["one", "two"])
def _two(request, run, make_run):
    """A run, and a run beside another."""
    if request.param == "one":
        return (run,)
    task = "a-family-of-tasks/a-task-with-a-long-name"
    results = {str(i): [i % 2, 1, "refused:no", 0] for i in range(12)}
    other = make_run({"a-long-name-of-an-arm-that-goes-on-and-on": results, "two": results}, task=task, label="b" * 60)
    return run, other


def test_nothing_is_requested_and_nothing_goes_wrong(view, two):
    page = view(*two)
    assert [url.rsplit("/", 1)[-1] for url in page.requests] == ["index.html"]
    assert page.problems == []


def test_a_transcript_is_a_click_away_and_back(view, run):
    page = view(run)
    page.locator("#kinds a").first.click()
    assert "/index-samples/s-" in page.url
    page.get_by_role("link", name="Next").first.click()
    page.get_by_role("link", name="Previous").first.click()
    page.get_by_role("link", name="Report").first.click()
    assert page.url.endswith("/report/index.html")
    assert page.problems == []


def test_a_payload_is_inert_and_visible(view, make_run, payload):
    run = make_run(
        {payload: {payload: [1, f"invalid:{payload}"], "b": [0, 1]}},
        label=payload,
        task=payload,
        metric=Metric(name=payload, summary=payload, kind="binary", failure=0.0, primary=True),
        text=lambda item, sample: payload,
        scores=[{payload: 0.5}] * 3,
    )
    page = view(run)
    assert page.evaluate("window.hit") is None
    assert page.locator("script, img").count() == 0
    assert page.locator("h1").inner_text() == payload
    page.locator("#kinds a").first.click()
    assert page.evaluate("window.hit") is None
    assert page.locator("script, img").count() == 0
    assert payload in page.locator(".writes pre").first.inner_text()
    assert page.problems == []


def test_the_policy_stops_a_script_that_got_in_all_the_same(view, run):
    page = view(run)
    page.evaluate(
        """() => {
          const script = document.createElement("script");
          script.textContent = "window.hit = 1";
          document.body.append(script);
        }"""
    )
    assert page.evaluate("window.hit") is None


def test_it_reads_without_scripts(view, run):
    page = view(run, java_script_enabled=False)
    assert page.get_by_text("Where the numbers come from").is_visible()
    assert page.locator("svg.plot").count() == 6


def test_a_phone_scrolls_no_page_sideways(view, two):
    page = view(*two, viewport={"width": 360, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    page.locator("main td a, main th a").first.click()
    assert page.evaluate("document.documentElement.scrollWidth") == 360


def test_no_table_leaves_the_paper(view, two):
    page = view(*two, viewport={"width": 1032, "height": 700})  # A4 on its side, less the margins
    page.emulate_media(media="print")
    assert page.evaluate("document.documentElement.scrollWidth") == 1032
    assert page.locator("summary").count() == 0 or not page.locator("summary").first.is_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_from_its_ground(view, two, scheme):
    page = view(*two, color_scheme=scheme)
    worst = page.evaluate(CONTRAST)
    assert worst >= 4.5  # WCAG 2.2, 1.4.3, level AA


def test_no_text_of_a_figure_lies_on_another(view, two):
    page = view(*two, viewport={"width": 1280, "height": 900})
    clashes = page.evaluate(
        """() => [...document.querySelectorAll("svg.plot")].flatMap((svg) => {
          const texts = [...svg.querySelectorAll("text")].map((t) => [t.textContent, t.getBoundingClientRect()]);
          const found = [];
          texts.forEach(([a, p], i) => texts.slice(i + 1).forEach(([b, q]) => {
            const wide = Math.min(p.right, q.right) - Math.max(p.left, q.left);
            const tall = Math.min(p.bottom, q.bottom) - Math.max(p.top, q.top);
            if (wide > 1 && tall > 3) found.push(`${a} / ${b}`);
          }));
          return found;
        })"""
    )
    assert clashes == []


def test_no_text_of_a_figure_is_cut_off(view, two):
    page = view(*two, viewport={"width": 1280, "height": 900})
    cut = page.evaluate(
        """() => [...document.querySelectorAll("svg.plot")].flatMap((svg) => {
          const box = svg.getBoundingClientRect();
          return [...svg.querySelectorAll("text")]
            .filter((t) => {
              const r = t.getBoundingClientRect();
              const beside = r.left < box.left - 1 || r.right > box.right + 1;
              return beside || r.bottom > box.bottom + 1 || r.top < box.top - 1;
            })
            .map((t) => t.textContent);
        })"""
    )
    assert cut == []
