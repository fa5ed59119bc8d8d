import base64
import hashlib
import re
from html.parser import HTMLParser

import pytest

from finchmark.leaderboard import build
from finchmark.suite.errors import UsageError
from finchmark.suite.records import BackendChoice, Level, Metric
from finchmark.suite.stats import korn_graubard

PAYLOAD = "\"><script>window.hit=1</script><img src=x onerror='window.hit=1'>{{7*7}}"


class Elements(HTMLParser):
    """Collects start tags with their attributes, and the text of the whole page."""

    def __init__(self, html):
        super().__init__(convert_charrefs=True)
        self.tags, self.text, self._skip = [], "", 0
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self.text += " "
        self._skip += tag in ("style", "script")

    def handle_endtag(self, tag):
        self._skip -= tag in ("style", "script")

    def handle_data(self, data):
        if not self._skip:
            self.text += data

    @property
    def words(self):
        return " ".join(self.text.split())


@pytest.fixture(name="page")
def _page(tmp_path):
    def page(*runs, **options):
        return Elements(build(runs, tmp_path / "site", **options).read_text(encoding="utf-8"))

    return page


@pytest.fixture(name="hostile")
def _hostile(make_run):
    metric = Metric(name="solved", summary=PAYLOAD, kind="binary", failure=0.0, primary=True, unit=PAYLOAD)
    return make_run(
        {PAYLOAD: {PAYLOAD: [1, f"invalid:{PAYLOAD}", f"error:{PAYLOAD}"]}},
        label=PAYLOAD,
        task=PAYLOAD,
        tier=PAYLOAD,
        items_hash=PAYLOAD,
        summary=PAYLOAD,
        metrics=(metric,),
        notes=(PAYLOAD,),
        model={PAYLOAD: [PAYLOAD]},
        environment={"cpu": {PAYLOAD: PAYLOAD}},
        finchmark=PAYLOAD,
    )


def test_a_page_and_a_table_are_written(make_run, tmp_path):
    index = build([make_run({"a": [1]})], tmp_path / "deep" / "site")
    assert index == tmp_path / "deep" / "site" / "index.html"
    assert sorted(f.name for f in index.parent.iterdir()) == ["index.html", "leaderboard.csv"]


def test_the_same_runs_give_the_same_bytes(make_run, tmp_path):
    runs = [make_run({"a": [1, 0]}, label=f"m{i}", folder=str(i)) for i in range(3)]
    one, two = build(runs, tmp_path / "1"), build(runs[::-1], tmp_path / "2")
    assert one.read_bytes() == two.read_bytes()


def test_the_path_of_a_run_does_not_show(make_run, page):
    assert "/runs" not in page(make_run({"a": [1]})).text


def test_no_run_writes_nothing(tmp_path):
    with pytest.raises(UsageError, match="at least one run"):
        build([], tmp_path / "site")
    assert not (tmp_path / "site").exists()


def test_a_file_in_the_way_is_an_error(make_run, tmp_path):
    (tmp_path / "site").write_text("mine")
    with pytest.raises(UsageError, match="a file is in the way"):
        build([make_run({"a": [1]})], tmp_path / "site")


@pytest.mark.parametrize("confidence", [0, 1, 95])
def test_a_bad_confidence_is_an_error(make_run, tmp_path, confidence):
    with pytest.raises(UsageError, match=str(confidence)):
        build([make_run({"a": [1]})], tmp_path, confidence=confidence)


def test_nothing_is_fetched_from_anywhere(make_run, tmp_path):
    html = build([make_run({"a": [1, 0]})], tmp_path).read_text(encoding="utf-8")
    assert not re.search(r"(?i)https?:|//[a-z]|@import|url\(", html)
    links = {a["href"] for tag, a in Elements(html).tags if "href" in a}
    assert all(link.startswith("#") or link == "leaderboard.csv" for link in links)
    assert not any("src" in a for _, a in Elements(html).tags)


def test_every_link_within_the_page_has_a_target(make_run, page):
    tags = page(make_run({"a": [1]}, folder="1"), make_run({"a": [1]}, folder="2", version=2)).tags
    ids = [a["id"] for _, a in tags if "id" in a]
    assert len(ids) == len(set(ids))
    assert {a["href"][1:] for _, a in tags if a.get("href", "").startswith("#")} <= set(ids)


def test_the_policy_names_the_inline_style_and_script_by_their_hashes(make_run, tmp_path):
    html = build([make_run({"a": [1]})], tmp_path).read_text(encoding="utf-8")
    (policy,) = re.findall(r'http-equiv="Content-Security-Policy" content="([^"]*)"', html)
    rules = dict(rule.split(" ", 1) for rule in policy.split("; "))
    assert rules["default-src"] == "'none'"
    for tag in ("style", "script"):
        (text,) = re.findall(rf"<{tag}>(.*?)</{tag}>", html, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert rules[f"{tag}-src"] == f"'sha256-{digest}'"


def test_the_policy_comes_before_what_it_governs(make_run, tmp_path):
    html = build([make_run({"a": [1]})], tmp_path).read_text(encoding="utf-8")
    assert html.index("Content-Security-Policy") < html.index("<style>")


def test_no_attribute_needs_inline_rights(make_run, page):
    for _, attributes in page(make_run({"a": [1, 0]})).tags:
        assert not [name for name in attributes if name == "style" or name.startswith("on")]


def test_hostile_text_stays_text(hostile, page):
    found = page(hostile)
    assert [tag for tag, _ in found.tags if tag in ("script", "img")] == ["script"]
    assert not [a for _, a in found.tags if any(name.startswith("on") for name in a)]
    assert found.text.count("{{7*7}}") >= 12  # shown as it is, and not run by the template either


def test_a_hostile_title_stays_text(make_run, page):
    assert [t for t, _ in page(make_run({"a": [1]}), title=PAYLOAD).tags if t == "img"] == []


def test_a_name_that_turns_the_direction_of_writing_is_unmasked(make_run, page):
    assert "evil\\u202e" in page(make_run({"a": [1]}, label="evil\u202e")).text


def test_a_cell_shows_mean_interval_items_and_samples(make_run, page):
    expected = korn_graubard([2, 1, 0], 2)
    words = page(make_run({"a": [1, 1], "b": [0, 1], "c": [0, 0]})).words
    assert f"0.500 {expected.low:.3f} to {expected.high:.3f} 3 items × 2" in words


def test_a_cell_draws_its_interval_with_chance_and_ceiling(make_run, page):
    levels = {"default": {"solved": Level(chance=0.0, ceiling=1.0)}}
    tags = page(make_run({"a": [1], "b": [0]}, levels=levels)).tags
    (bar,) = [a for t, a in tags if t == "svg" and a.get("aria-label", "").startswith("mean")][:1]
    assert bar["aria-label"] == "mean 0.500, interval 0.095 to 0.905, chance 0.000, ceiling 1.000"
    at = next(i for i, (t, a) in enumerate(tags) if a is bar)
    drawn = {a["class"]: a for t, a in tags[at + 1 : at + 6] if "class" in a}
    assert float(drawn["dot"]["cx"]) == 60
    assert float(drawn["chance"]["x"]) == 4 - 0.75
    assert float(drawn["ceiling"]["x"]) == 116 - 0.75
    assert float(drawn["span"]["x"]) == pytest.approx(4 + 112 * 0.0945, abs=0.02)


def test_invalid_refused_error_and_missing_are_shown(make_run, page):
    words = page(make_run({"a": [1, "invalid", "refused", "error"]}, items=2)).words
    assert "1 invalid 1 refused 1 error 4 missing" in words


def test_flags_say_how_far_the_mean_could_move(make_run, page):
    words = page(make_run({"a": [1, "error"], "b": [0, 0]})).words
    assert "25.0 % of samples lost to errors" in words
    assert "the mean would lie between 0.250 and 0.500" in words


def test_how_missing_samples_were_treated_is_said(make_run, page):
    assert "1 sample on this page was lost" in page(make_run({"a": [1, "error"]})).words
    assert "None: every sample that was planned is here" in page(make_run({"a": [1, 0]})).words


def test_reasons_are_counted(make_run, page):
    words = page(make_run({"a": [1, "invalid:cut off", "invalid:cut off", "error"]})).words
    assert "2 × invalid: cut off; 1 × error: no reason given." in words


def test_one_item_is_no_ground_for_claims(make_run, page):
    assert "Nothing can be claimed beyond this item" in page(make_run({"a": [1, 0, 1, 0]})).words


def test_few_items_are_warned_of_and_many_are_not(make_run, page):
    assert "29 items. Differences that look large" in page(make_run({str(i): [i % 2] for i in range(29)})).words
    assert "Before you use" not in page(make_run({str(i): [i % 2] for i in range(30)})).words


def test_few_streams_describe_agent_states_only(make_run, page):
    metric = Metric(name="solved", summary="", kind="binary", primary=True, clusters=("sample", "item", "stream"))
    run = make_run({f"i{j}": [1, 0] for j in range(40)}, metrics=(metric,))
    run.table["stream"] = [f"s{i}" for i in run.table["sample"]]
    assert "These numbers describe" not in page(run).words
    assert "under 6 streams. The numbers describe these agent states only." in page(run).words


def test_references_stand_apart_at_the_foot(make_run, page):
    scripted = [
        make_run({"a": [1]}, label=f"scripted:{p}", folder=p, backend=BackendChoice(name="scripted", model=p))
        for p in ("oracle", "heuristic", "random")
    ]
    words = page(*scripted, make_run({"a": [1]}, label="zebra")).words
    order = [words.index(name) for name in ("zebra", "References", "scripted:random", "heuristic", "scripted:oracle")]
    assert order == sorted(order)


def test_levels_are_stated_where_no_reference_was_run(make_run, page):
    levels = {"default": {"solved": Level(chance=0.05, ceiling=1.0, exact=True)}}
    words = page(make_run({"a": [1]}, levels=levels)).words
    assert "Chance (random policy) stated by the task, not run here 0.050 stated, exact" in words
    assert "Ceiling (oracle) stated by the task, not run here 1.000 stated, exact" in words


def test_a_level_that_was_run_is_not_stated_as_well(make_run, page):
    levels = {"default": {"solved": Level(chance=0.05, ceiling=1.0)}}
    random = make_run(
        {"a": [0]}, label="my random", folder="r", levels=levels, backend=BackendChoice(name="scripted", model="random")
    )
    words = page(random, make_run({"a": [1]}, levels=levels)).words
    assert "Chance (random policy)" not in words
    assert "Ceiling (oracle) stated by the task, not run here 1.000 stated, declared" in words


def test_references_alone_make_a_page(make_run, page):
    words = page(make_run({"a": [1]}, backend=BackendChoice(name="scripted", model="random"))).words
    assert "No model was run; only references are shown." in words


def test_greedy_and_sampled_runs_have_rows_of_their_own(make_run, page):
    words = page(make_run({"a": [1]}, folder="1", temperature=0), make_run({"a": [1]}, folder="2")).words
    assert "greedy · history agent" in words
    assert "sampled T=0.7 · history agent" in words


def test_sets_of_items_are_told_apart_by_their_hash(make_run, page):
    words = page(make_run({"a": [1]}, folder="1"), make_run({"a": [1]}, folder="2", items_hash="items1")).words
    assert "lite · 1 item · items0" in words
    assert "lite · 1 item · items1" in words


def test_models_are_ordered_by_the_marked_column_best_first(make_run, page):
    runs = [make_run({"a": [v]}, label=f"model-{v}", folder=str(v)) for v in (0, 1)]
    found = page(*runs)
    assert found.words.index("model-1") < found.words.index("model-0")
    assert [a["aria-sort"] for t, a in found.tags if "aria-sort" in a] == ["descending"]


def test_where_less_is_better_the_least_comes_first(make_run, page):
    bad = Metric(name="broke", summary="", kind="binary", direction="lower", failure=1.0, primary=True)
    runs = [make_run({"a": [v]}, label=f"model-{v}", folder=str(v), metrics=(bad,)) for v in (0, 1)]
    found = page(*runs)
    assert found.words.index("model-0") < found.words.index("model-1")
    assert [a["aria-sort"] for t, a in found.tags if "aria-sort" in a] == ["ascending"]


def test_provenance_names_identity_seed_dates_versions_and_specification(make_run, page):
    run = make_run({"a": [1]}, seed=17, environment={"python": "3.11.9", "packages": {"numpy": "2.4"}})
    words = page(run).words
    for text in ("1d3n71ty", "seed 17", "2026-01-02T03:04:05+00:00", "Finchmark 0.1.0", run.manifest.spec_hash):
        assert text in words
    assert "environment.packages.numpy 2.4" in words


def test_all_metrics_and_pass_at_k_stand_below(make_run, page):
    metrics = (
        Metric(name="solved", summary="share solved", kind="binary", failure=0.0, primary=True),
        Metric(name="steps", summary="steps to success", high=None, direction="lower", unit="turns"),
    )
    words = page(make_run({"a": [{"solved": 1, "steps": 12.0}, {"solved": 0}]}, metrics=metrics)).words
    assert "steps steps to success graded; lower is better from 0 turns" in words
    assert "Model solved steps pass@2" in words


def test_a_run_without_any_number_makes_a_page(make_run, page):
    assert "nothing scored" in page(make_run({"a": ["error"]})).words


def test_the_table_reads_as_a_table(make_run, page):
    tags = page(make_run({"one": {"a": [1]}, "two": {"a": [0]}})).tags
    assert {a["scope"] for t, a in tags if t == "th"} == {"col", "colgroup", "row", "rowgroup"}
    assert [a["lang"] for t, a in tags if t == "html"] == ["en"]
    regions = [a for t, a in tags if a.get("class") == "scroll"]
    assert all(a["tabindex"] == "0" and ("aria-label" in a or "aria-labelledby" in a) for a in regions)


def test_a_cell_without_any_number_has_no_interval_and_is_not_called_sparse(make_run, page):
    words = page(make_run({"a": ["error"], "b": ["error"]})).words
    assert "– nothing scored 2 errors flagged" in words


def test_levels_that_are_alike_in_all_arms_are_said_once(make_run, page):
    alike, apart = {"solved": Level(chance=0.25)}, {"solved": Level(chance=0.5)}
    scores = {"one": {"a": [1]}, "two": {"a": [1]}}
    assert "0.250 (declared) not known counts as 0" in page(make_run(scores, levels={"one": alike, "two": alike})).words
    words = page(make_run(scores, levels={"one": alike, "two": apart})).words
    assert "one: 0.250 (declared); two: 0.500 (declared)" in words
