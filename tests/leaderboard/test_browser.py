"""The page in a real browser: sorting, and that hostile text does nothing."""

from pathlib import Path

import pytest

from finchmark.leaderboard import build
from finchmark.suite.records import Level, Metric

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed (the dev extra has it)")
CHROMIUM = Path("/usr/bin/chromium")
pytestmark = pytest.mark.skipif(not CHROMIUM.exists(), reason=f"there is no browser at {CHROMIUM}")

PAYLOAD = "\"><script>window.hit=1</script><img src=x onerror='window.hit=1'><style>*{display:none}</style>"


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
        page.goto(build(runs, tmp_path / "site").as_uri())
        return page

    yield view
    for page in pages:
        page.close()


@pytest.fixture(name="three")
def _three(make_run):
    scores = {"beta": [1, 1], "alpha": [0, 1], "gamma": [0, 0]}
    return [make_run({str(i): [v] for i, v in enumerate(s)}, label=label, folder=label) for label, s in scores.items()]


def order(page):
    return page.locator("#main tbody.models th .name").all_inner_texts()


def test_the_first_order_is_best_first(view, three):
    assert order(view(*three)) == ["beta", "alpha", "gamma"]


def test_a_click_sorts_and_another_turns_the_order(view, three):
    page = view(*three)
    page.get_by_role("button", name="Model").click()
    assert order(page) == ["alpha", "beta", "gamma"]
    page.get_by_role("button", name="Model").click()
    assert order(page) == ["gamma", "beta", "alpha"]


def test_the_sorted_column_is_told_to_a_screen_reader(view, three):
    page = view(*three)
    page.get_by_role("button", name="Model").click()
    marked = page.locator("#main th[aria-sort]")
    assert [m.get_attribute("aria-sort") for m in marked.all()] == ["ascending"]
    assert page.locator("#announce").inner_text() == "Sorted by Model, ascending."


@pytest.mark.parametrize("key", ["Enter", "Space"])
def test_the_keyboard_sorts(view, three, key):
    page = view(*three)
    page.get_by_role("button", name="solved").focus()
    page.keyboard.press(key)
    assert order(page) == ["gamma", "alpha", "beta"]


def test_a_model_without_a_number_stays_last_in_both_orders(view, three, make_run):
    page = view(*three, make_run({"0": ["error"], "1": ["error"]}, label="none", folder="none"))
    button = page.get_by_role("button", name="solved")
    assert order(page)[-1] == "none"
    button.click()
    assert order(page) == ["gamma", "alpha", "beta", "none"]


def test_references_do_not_move(view, three, make_run):
    levels = {"default": {"solved": Level(chance=0.5, ceiling=1.0)}}
    page = view(*three, make_run({"0": [1], "1": [0]}, label="delta", folder="delta", levels=levels))
    page.get_by_role("button", name="Model").click()
    assert page.locator("#main tbody").nth(1).inner_text().startswith("REFERENCES")


def test_the_page_reads_without_scripts(view, three):
    page = view(*three, java_script_enabled=False)
    assert order(page) == ["beta", "alpha", "gamma"]
    assert page.get_by_text("How to read this page").is_visible()


def test_a_payload_is_inert_and_visible(view, make_run):
    metric = Metric(name="solved", summary=PAYLOAD, kind="binary", failure=0.0, primary=True)
    run = make_run(
        {PAYLOAD: {PAYLOAD: [1, f"invalid:{PAYLOAD}"]}},
        label=PAYLOAD,
        task=PAYLOAD,
        metrics=(metric,),
        notes=(PAYLOAD,),
    )
    page = view(run)
    assert page.evaluate("window.hit") is None
    assert page.locator("img").count() == 0
    assert page.locator("#main tbody.models th .name").inner_text() == PAYLOAD
    assert page.problems == []


def test_the_policy_stops_a_script_that_got_in_all_the_same(view, three):
    page = view(*three)
    page.evaluate(
        """() => {
          const script = document.createElement("script");
          script.textContent = "window.hit = 1";
          document.body.append(script);
        }"""
    )
    assert page.evaluate("window.hit") is None
    assert any("Content Security Policy" in problem for problem in page.problems)


def test_nothing_is_requested_and_nothing_goes_wrong(view, three):
    page = view(*three)
    page.get_by_role("button", name="Model").click()
    assert [url.rsplit("/", 1)[-1] for url in page.requests] == ["index.html"]
    assert page.problems == []


def test_on_a_phone_only_the_tables_scroll_and_names_stay_in_sight(view, make_run):
    run = make_run({f"arm-{i}": {"a": [1, 0]} for i in range(8)})
    page = view(run, viewport={"width": 390, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    box = page.locator(".scroll").first
    assert box.evaluate("e => e.scrollWidth > e.clientWidth")
    box.evaluate("e => { e.scrollLeft = 400 }")
    assert 0 <= page.locator("#main tbody.models th").bounding_box()["x"] < 40


def test_a_dark_scheme_is_followed(view, three):
    page = view(*three, color_scheme="dark")
    channels = page.evaluate("getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)")
    assert max(channels) < 60


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_from_its_ground(view, make_run, scheme):
    page = view(make_run({"a": [1, "invalid", "error"], "b": [0, 0, 1]}), color_scheme=scheme)
    worst = page.evaluate(
        """() => {
          const luminance = (rgb) => rgb.map((v) => v / 255)
            .map((v) => (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
            .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
          const parse = (text) => text.match(/[\\d.]+/g).map(Number);
          const ground = (e) => {
            for (; e; e = e.parentElement) {
              const c = parse(getComputedStyle(e).backgroundColor);
              if (c.length < 4 || c[3] > 0) return c.slice(0, 3);
            }
            return [255, 255, 255];
          };
          const ratios = [...document.querySelectorAll("body *")]
            .filter((e) => [...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim()) && e.tagName !== "SCRIPT")
            .map((e) => {
              const a = luminance(parse(getComputedStyle(e).color).slice(0, 3));
              const b = luminance(ground(e));
              return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
            });
          return Math.min(...ratios);
        }"""
    )
    assert worst >= 4.5  # WCAG 2.2, 1.4.3, level AA
