from finchmark.suite.records import BackendChoice, Level, Metric
from finchmark.suite.stats import korn_graubard


def order(words, *names):
    return sorted(names, key=words.index)


def test_a_cell_shows_mean_and_interval(make_run, page):
    expected = korn_graubard([2, 1, 0], 2)
    words = page(make_run({"a": [1, 1], "b": [0, 1], "c": [0, 0]})).words
    assert f"0.500 {expected.low:.3f} to {expected.high:.3f}" in words


def test_a_cell_draws_its_interval_on_the_metrics_range(make_run, page):
    levels = {"default": {"solved": Level(chance=0.0, ceiling=1.0)}}
    html = page(make_run({"a": [1], "b": [0]}, levels=levels)).html
    assert '<g id="levels-1-0"><path class="c" d="M4 1v12"/><path class="t" d="M116 1v12"/></g>' in html
    # 0.095 to 0.905 of 112 units, 4 from the edge
    assert '<use href="#levels-1-0"/><path class="s" d="M14.6 7H105.4"/><path class="d" d="M60 7h0"/>' in html


def test_drawings_beside_numbers_are_hidden_from_screen_readers(make_run, page):
    tags = page(make_run({"a": [1], "b": [0]})).tags
    assert {a.get("aria-hidden") for t, a in tags if t == "svg"} == {"true"}


def test_invalid_refused_error_and_missing_are_shown(make_run, page):
    words = page(make_run({"a": [1, "invalid", "refused", "error"]}, items=2)).words
    assert "1 invalid 1 refused 1 error 4 missing" in words


def test_flags_say_how_far_the_mean_could_move(make_run, page):
    words = page(make_run({"a": [1, "error"], "b": [0, 0]})).words
    assert "25.0 % of samples lost to errors" in words
    assert "the mean would lie between 0.250 and 0.500" in words


def test_notices_beyond_a_dozen_are_counted(make_run, page):
    runs = [make_run({"a": [1, "error"]}, label=f"m{i:02d}", folder=f"{i}") for i in range(20)]
    words = page(*runs).words
    assert words.count("Flagged.") == 12
    assert "And 8 more of the same kinds" in words


def test_how_missing_samples_were_treated_is_said(make_run, page):
    assert "1 sample on this site was lost" in page(make_run({"a": [1, "error"]})).words
    assert "None: every sample that was planned is here" in page(make_run({"a": [1, 0]})).words


def test_one_item_is_no_ground_for_claims(make_run, page):
    assert "Nothing can be claimed beyond this item" in page(make_run({"a": [1, 0, 1, 0]})).words


def test_few_items_are_warned_of_and_many_are_not(make_run, page):
    assert "29 items. Differences that look large" in page(make_run({str(i): [i % 2] for i in range(29)})).words
    assert "Before you use" not in page(make_run({str(i): [i % 2] for i in range(30)})).words


def test_few_streams_describe_agent_states_only(make_run, page):
    metric = Metric(name="solved", summary="", kind="binary", primary=True, clusters=("sample", "item", "stream"))
    run = make_run({f"i{j}": [1, 0] for j in range(40)}, metrics=(metric,))
    assert "under 6 streams" not in page(run).words
    run.table["stream"] = [f"s{i}" for i in run.table["sample"]]
    assert "under 6 streams. The numbers describe these agent states only." in page(run).words


def test_references_stand_apart_at_the_foot(make_run, page):
    scripted = [
        make_run({"a": [1]}, label=f"scripted:{p}", folder=p, backend=BackendChoice(name="scripted", model=p))
        for p in ("oracle", "heuristic", "random")
    ]
    words = page(*scripted, make_run({"a": [1]}, label="zebra")).words
    names = ("zebra", "References", "scripted:random", "scripted:heuristic", "scripted:oracle")
    assert order(words, *names) == list(names)


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
    assert "greedy · self-reported" in words
    assert "sampled T=0.7 · self-reported" in words


def test_an_agent_that_is_not_the_plain_one_is_named(make_run, page):
    assert "sampled T=0.7 · notebook agent" in page(make_run({"a": [1]}, agent="notebook")).words


def test_sets_of_items_are_told_apart_by_their_hash(make_run, page):
    words = page(make_run({"a": [1]}, folder="1"), make_run({"a": [1]}, folder="2", items_hash="items1")).words
    assert "lite · 1 public item · items0" in words
    assert "lite · 1 public item · items1" in words


def test_models_are_ordered_by_the_marked_column_best_first(make_run, page):
    runs = [make_run({"a": [v]}, label=f"model-{v}", folder=str(v)) for v in (0, 1)]
    found = page(*runs)
    assert order(found.words, "model-0", "model-1") == ["model-1", "model-0"]
    assert [a["aria-sort"] for t, a in found.tags if "aria-sort" in a] == ["descending"]


def test_where_less_is_better_the_least_comes_first(make_run, page):
    bad = Metric(name="broke", summary="", kind="binary", direction="lower", failure=1.0, primary=True)
    runs = [make_run({"a": [v]}, label=f"model-{v}", folder=str(v), metrics=(bad,)) for v in (0, 1)]
    found = page(*runs)
    assert order(found.words, "model-0", "model-1") == ["model-0", "model-1"]
    assert [a["aria-sort"] for t, a in found.tags if "aria-sort" in a] == ["ascending"]


def test_ranks_are_intervals_and_letters_say_who_cannot_be_told_apart(make_run, page):
    scores = {"one": 36, "two": 34, "three": 4}
    runs = [
        make_run({str(i): [int(i < n)] for i in range(40)}, label=label, folder=label) for label, n in scores.items()
    ]
    words = page(*runs).words
    assert words.count("rank 1–2 · a") == 2
    assert "rank 3 · b" in words


def test_where_neither_end_is_better_nothing_is_ranked(make_run, page):
    odd = Metric(name="length", summary="", direction="none", primary=True)
    runs = [make_run({str(i): [v] for i in range(40)}, label=f"m{v}", folder=str(v), metrics=(odd,)) for v in (0, 1)]
    assert "rank 1" not in page(*runs).words


def test_a_run_without_any_number_makes_a_page(make_run, page):
    assert "nothing scored" in page(make_run({"a": ["error"]})).words


def test_a_cell_without_any_number_has_no_interval_and_is_not_called_sparse(make_run, page):
    assert "– nothing scored 2 errors flagged" in page(make_run({"a": ["error"], "b": ["error"]})).words


def test_the_table_reads_as_a_table(make_run, page):
    tags = page(make_run({"one": {"a": [1]}, "two": {"a": [0]}})).tags
    assert {a["scope"] for t, a in tags if t == "th"} == {"col", "colgroup", "row", "rowgroup"}
    assert [a["lang"] for t, a in tags if t == "html"] == ["en"]
    assert [t for t, _ in tags].count("table") == [t for t, _ in tags].count("caption")
    regions = [a for t, a in tags if a.get("class") == "scroll"]
    assert all(a["tabindex"] == "0" and ("aria-label" in a or "aria-labelledby" in a) for a in regions)


def test_a_metric_without_bounds_is_said_to_have_none(make_run, page):
    growth = Metric(name="growth", summary="normalised growth", low=None, high=None, primary=True)
    assert "no bounds" in page(make_run({"a": [-3.0], "b": [1.0]}, metrics=(growth,))).words


def test_families_are_told_apart_and_never_averaged_together(make_run, join, page):
    def run(label, share):
        scores = {str(i): [int(i < 40 * share)] for i in range(40)}
        levels = {"default": {"solved": Level(chance=0.0, ceiling=1.0)}}
        names = ("skill/a", "skill/b", "safety/a", "safety/b")
        return join(*(make_run(scores, label=label, folder=label, task=t, levels=levels) for t in names))

    words = page(run("x", 0.9), run("y", 0.1)).words
    assert "skill: lite, public items" in words
    assert "safety: lite, public items" in words
    assert words.count("Mean over tasks") == 2
    assert "1 of 2" in words
    assert "2 of 2" in words
