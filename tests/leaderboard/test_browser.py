"""The site in a real browser: sorting, finding, reading, and that hostile text does nothing."""

from pathlib import Path

import pytest

from finchmark.leaderboard import build
from finchmark.suite.records import Level, Metric

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed (the dev extra has it)")
CHROMIUM = Path("/usr/bin/chromium")
CONTRAST = (Path(__file__).parents[1] / "contrast.js").read_text(encoding="utf-8")
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
    """Opens the overview of some runs, or the first page of another kind."""
    pages = []

    def view(*runs, kind="index", **options):
        page = browser.new_page(**options)
        pages.append(page)
        page.problems, page.requests = [], []
        page.on("console", lambda m: page.problems.append(m.text))
        page.on("pageerror", lambda e: page.problems.append(str(e)))
        page.on("request", lambda r: page.requests.append(r.url))
        folder = build(runs, tmp_path / "site").parent
        page.goto(min(folder.glob(f"{kind}*.html")).as_uri())
        return page

    yield view
    for page in pages:
        page.close()


KINDS = ("index", "task", "model", "pair")


@pytest.fixture(name="three")
def _three(make_run):
    scores = {"beta": [1, 1], "alpha": [0, 1], "gamma": [0, 0]}
    return [make_run({str(i): [v] for i, v in enumerate(s)}, label=label, folder=label) for label, s in scores.items()]


def order(page):
    return page.locator("#main tbody.models tr:visible th .name").all_inner_texts()


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
    page.locator("#main").get_by_role("button", name="solved").focus()
    page.keyboard.press(key)
    assert order(page) == ["gamma", "alpha", "beta"]


def test_a_model_without_a_number_stays_last_in_both_orders(view, three, make_run):
    page = view(*three, make_run({"0": ["error"], "1": ["error"]}, label="none", folder="none"))
    button = page.locator("#main").get_by_role("button", name="solved")
    assert order(page)[-1] == "none"
    button.click()
    assert order(page) == ["gamma", "alpha", "beta", "none"]


def test_references_do_not_move(view, three, make_run):
    levels = {"default": {"solved": Level(chance=0.5, ceiling=1.0)}}
    page = view(*three, make_run({"0": [1], "1": [0]}, label="delta", folder="delta", levels=levels))
    page.get_by_role("button", name="Model").click()
    assert page.locator("#main tbody").nth(1).inner_text().startswith("REFERENCES")


@pytest.mark.parametrize("kind", KINDS)
def test_every_page_reads_without_scripts(view, three, kind):
    page = view(*three, kind=kind, java_script_enabled=False)
    assert page.locator("h1").is_visible()
    assert page.locator("table").first.is_visible()
    assert page.locator(".tools").count() == 0 or not page.locator(".tools").is_visible()
    if kind == "index":
        assert order(page) == ["beta", "alpha", "gamma"]


def test_typing_a_part_of_a_name_finds_models_in_all_tables(view, three):
    page = view(*three)
    page.get_by_label("Find a model").fill("ALP")
    assert order(page) == ["alpha"]
    assert page.locator(".tools output").inner_text() == "1 of 3 models shown"
    page.get_by_label("Find a model").press("Escape")
    assert len(order(page)) == 3


def test_models_are_chosen_by_their_decoding(view, three, make_run):
    page = view(*three, make_run({"0": [1], "1": [1]}, label="delta", folder="delta", temperature=0))
    page.get_by_label("Decoding").select_option("greedy")
    assert order(page) == ["delta"]
    page.get_by_label("Decoding").select_option("all")
    assert len(order(page)) == 4


def test_what_cannot_be_chosen_from_is_not_offered(view, three):
    page = view(*three)
    assert page.get_by_label("Find a model").is_visible()
    assert page.locator(".tools select").count() == 0


def test_a_task_page_sorts_and_finds_too(view, three):
    page = view(*three, kind="task")
    assert order(page) == ["beta", "alpha", "gamma"]
    page.locator("#main").get_by_role("button", name="Rank").click()
    assert order(page) == ["gamma", "alpha", "beta"]
    page.get_by_label("Find a model").fill("beta")
    assert order(page) == ["beta"]


def test_links_lead_from_page_to_page_and_back(view, three):
    page = view(*three)
    page.locator("#main").get_by_role("link", name="family/task@1").click()
    assert page.locator("h1").inner_text() == "family/task@1"
    page.locator("#main").get_by_role("link", name="beta").first.click()
    assert page.locator("h1").inner_text() == "beta"
    page.get_by_role("link", name="alpha").click()
    assert page.locator("h1").inner_text() == "Two models on the same items"
    page.locator(".crumbs a").click()
    assert page.locator("h1").inner_text() == "Finchmark leaderboard"
    assert page.problems == []


def test_the_first_stop_of_the_keyboard_skips_to_the_content(view, three):
    page = view(*three)
    page.keyboard.press("Tab")
    focused = page.locator(":focus")
    assert focused.inner_text() == "Skip to the content"
    assert focused.bounding_box()["x"] >= 0
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"


@pytest.mark.parametrize("kind", KINDS)
def test_a_payload_is_inert_and_visible(view, make_run, kind):
    metric = Metric(name="solved", summary=PAYLOAD, kind="binary", failure=0.0, primary=True)
    run = make_run(
        {PAYLOAD: {PAYLOAD: [1, f"invalid:{PAYLOAD}"]}},
        label=PAYLOAD,
        task=PAYLOAD,
        metrics=(metric,),
        notes=(PAYLOAD,),
    )
    other = make_run({PAYLOAD: {PAYLOAD: [0, 0]}}, label="x" + PAYLOAD, folder="x", task=PAYLOAD, metrics=(metric,))
    page = view(run, other, kind=kind)
    assert page.evaluate("window.hit") is None
    assert page.locator("img").count() == 0
    assert page.locator(f"text={PAYLOAD[:20]}").count() > 0
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


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_requested_and_nothing_goes_wrong(view, three, kind):
    page = view(*three, kind=kind)
    page.locator("thead button").first.click()
    assert len(page.requests) == 1
    assert page.problems == []


@pytest.mark.parametrize("kind", KINDS)
def test_on_a_phone_only_the_tables_scroll(view, make_run, kind):
    label = "laboratory-with-a-very-long-name/and-a-model-with-a-longer-one-" + "x" * 40
    runs = [
        make_run(
            {f"arm-{i}": {"an-item-with-a-long-name" * 3: [1, v]} for i in range(8)}, label=f"{v}{label}", folder=f"{v}"
        )
        for v in (0, 1)
    ]
    page = view(*runs, kind=kind, viewport={"width": 360, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") == 360


def test_names_stay_in_sight_while_a_table_scrolls(view, make_run):
    run = make_run({f"arm-{i}": {"a": [1, 0]} for i in range(8)})
    page = view(run, viewport={"width": 360, "height": 800})
    box = page.locator(".scroll", has=page.locator("#main"))
    assert box.evaluate("e => e.scrollWidth > e.clientWidth")
    box.evaluate("e => { e.scrollLeft = 400 }")
    assert 0 <= page.locator("#main tbody.models th").bounding_box()["x"] < 40


def test_a_dark_scheme_is_followed(view, three):
    page = view(*three, color_scheme="dark")
    channels = page.evaluate("getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)")
    assert max(channels) < 60


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_from_its_ground(view, make_run, scheme, kind):
    other = make_run({"a": [0, 0, 0], "b": [0, 0, 1]}, label="other", folder="other")
    page = view(make_run({"a": [1, "invalid", "error"], "b": [0, 0, 1]}), other, kind=kind, color_scheme=scheme)
    worst = page.evaluate(CONTRAST)
    assert worst >= 4.5  # WCAG 2.2, 1.4.3, level AA
