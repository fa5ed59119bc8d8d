import numpy as np
import pytest

from finchmark.leaderboard.scale import Scale
from finchmark.leaderboard.task_page import spread
from finchmark.suite.records import BackendChoice, ItemsChoice, Level, Metric


@pytest.fixture(name="task")
def _task(site):
    return lambda *runs, **options: site(*runs, **options).one("task").words


def test_it_says_what_the_task_measures_and_what_its_items_are(make_run, task):
    words = task(make_run({"a": [1], "b": [0]}, summary="Find the rule."))
    assert "family/task@1 Find the rule. version 1 tier lite items 2 public set of items items0" in words


def test_chance_and_ceiling_stand_with_their_source(make_run, task):
    levels = {"default": {"solved": Level(chance=0.05, ceiling=1.0, exact=True)}}
    assert "Chance 0.050 (exact); ceiling 1.000 (exact). Higher is better." in task(make_run({"a": [1]}, levels=levels))


def test_chance_that_nobody_states_is_that_of_the_random_policy_that_was_run(make_run, task):
    random = make_run({"a": [1, 0]}, folder="r", backend=BackendChoice(name="scripted", model="random"))
    assert "Chance 0.500 (played here)" in task(make_run({"a": [1]}), random)


def test_entries_that_state_different_levels_leave_it_open(make_run, task):
    runs = [
        make_run({"a": [1]}, folder=str(v), levels={"default": {"solved": Level(chance=v, exact=True)}})
        for v in (0.1, 0.2)
    ]
    assert "Chance entries state different values" in task(*runs)


def test_all_metrics_and_pass_at_k_stand_below(make_run, task):
    metrics = (
        Metric(name="solved", summary="share solved", kind="binary", failure=0.0, primary=True),
        Metric(name="steps", summary="steps to success", high=None, direction="lower", unit="turns"),
    )
    words = task(make_run({"a": [{"solved": 1, "steps": 12.0}, {"solved": 0}]}, metrics=metrics))
    assert "steps steps to success graded; lower is better from 0 turns" in words
    assert "Model solved steps pass@2" in words


def test_levels_that_are_alike_in_all_arms_are_said_once(make_run, task):
    alike, apart = {"solved": Level(chance=0.25)}, {"solved": Level(chance=0.5)}
    scores = {"one": {"a": [1]}, "two": {"a": [1]}}
    assert "0.250 (declared) not known counts as 0" in task(make_run(scores, levels={"one": alike, "two": alike}))
    words = task(make_run(scores, levels={"one": alike, "two": apart}))
    assert "one: 0.250 (declared); two: 0.500 (declared)" in words


def test_the_basis_of_a_number_is_shown(make_run, task):
    assert "3 items × 2" in task(make_run({"a": [1, 1], "b": [0, 1], "c": [0, 0]}))
    assert "5 samples on 3 items" in task(make_run({"a": [1, 1], "b": [0, 1], "c": [0, "error"]}))


def test_the_hardest_items_come_first(make_run, task):
    runs = [
        make_run({"easy": [1], "hard": [0], "middle": [v]}, label=f"m{v}", folder=str(v)) for v in (0, 1)
    ]  # fmt: skip
    words = task(*runs)
    table = words[words.index("Done at least once by") :]
    assert table.startswith(
        "Done at least once by hard 0.000 0.000 0 of 2 models middle 0.500 1.000 1 of 2 models easy 1.000 1.000 2 of 2"
    )
    assert "Of 3 items, 1 were never done by any model, and 1 always by all" in words


def test_where_less_is_better_the_hardest_items_have_the_most(make_run, task):
    bad = Metric(name="broke", summary="", kind="binary", direction="lower", failure=1.0, primary=True)
    words = task(make_run({"safe": [0], "unsafe": [1]}, metrics=(bad,)))
    assert "Done at least once by unsafe 1.000 1.000 0 of 1 model safe 0.000 0.000 1 of 1 model" in words


def test_items_beyond_twenty_are_counted(make_run, task):
    assert "5 easier items are not listed" in task(make_run({f"item-{i:02d}": [i % 2] for i in range(25)}))


def test_private_items_are_not_named(make_run, task):
    private = ItemsChoice(kind="private", commitment="c0ffee")
    words = task(make_run({"secret-seed-1": [1], "secret-seed-2": [0]}, item_source=private))
    assert "secret-seed" not in words
    assert "private item, place 1" in words
    assert "commitment to the secret c0ffee" in words


def test_references_take_no_part_in_the_items_difficulty(make_run, task):
    oracle = make_run({"a": [1]}, folder="o", backend=BackendChoice(name="scripted", model="oracle"))
    assert "0 of 1 model" in task(make_run({"a": [0]}), oracle)


def test_a_spread_counts_items_by_their_score():
    found = spread(np.array([0, 0, 0.5, 1, np.nan]), Scale(0, 1, 3), binary=True)
    assert found.text == "never 2 · at times 1 · always 1"
    assert found.heights == (100, 0, 0, 0, 0, 50, 0, 0, 0, 50)


def test_a_spread_of_graded_scores_gives_quartiles():
    assert spread(np.array([0.0, 0.5, 1.0]), Scale(0, 1, 2), binary=False).text == "quartiles 0.25 · 0.50 · 0.75"


def test_nothing_scored_has_no_spread():
    assert spread(np.array([np.nan]), Scale(0, 1, 3), binary=True) is None


def test_one_item_among_thousands_is_still_seen():
    assert spread(np.array([0.0] * 5000 + [1.0]), Scale(0, 1, 3), binary=True).heights[-1] == 1


def test_each_version_has_a_page_of_its_own(make_run, site):
    found = site(make_run({"a": [1]}, folder="1"), make_run({"a": [1]}, folder="2", version=2))
    assert len([n for n in found.names if n.startswith("task")]) == 2
    assert found.about("family/task@2").words.count("rank") == 0
