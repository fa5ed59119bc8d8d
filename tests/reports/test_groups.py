"""Groups of items shown apart, and several samples of an item: the numbers follow from the samples."""

from __future__ import annotations

import importlib.util
import sqlite3
import sys
from pathlib import Path

import numpy as np
import pytest

from finchmark.leaderboard.entries import entries
from finchmark.leaderboard.site import build
from finchmark.leaderboard.standings import rows
from finchmark.reports.comparison import comparison_text
from finchmark.reports.group_differences import group_differences
from finchmark.reports.groups import ALL, group_scores
from finchmark.reports.pair_report import report_pair
from finchmark.reports.run_report import report_run
from finchmark.reports.terminal import results_text
from finchmark.reports.ways import WaysGatherer, own_novelty
from finchmark.suite.comparison import compare
from finchmark.suite.results import from_run
from finchmark.suite.stats.estimators import best_of_k
from finchmark.tasks.creativebench.novelty import pair_distances

# Tests are imported one by one, so that a helper of this folder is found by its file alone.
_spec = importlib.util.spec_from_file_location("finchmark_tests_explored", Path(__file__).with_name("explored.py"))
_made = importlib.util.module_from_spec(_spec)
sys.modules[_spec.name] = _made
_spec.loader.exec_module(_made)
explored, SHOWN, SLICES = _made.explored, _made.SHOWN, _made.SLICES


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return explored(tmp_path_factory.mktemp("runs") / "base", label="base")


@pytest.fixture(scope="module")
def other(tmp_path_factory):
    return explored(tmp_path_factory.mktemp("runs") / "other", label="other", skill=0.8, wander=0.0)


def one(found, **wanted):
    (hit,) = [x for x in found if all(getattr(x, k) == v for k, v in wanted.items())]
    return hit


def score(run, metric, group):
    return next(s for s in group_scores(from_run(run)) if s.metric.name == metric and s.group == group)


def standing(run, metric):
    (entry,) = entries([run])
    return one(rows(entry), metric=metric)


def test_units_are_problems_not_their_levels(run):
    found = standing(run, "quality")
    assert (found.unit, found.units) == ("problem", 24)
    by_problem = run.frame().groupby(run.frame()["item"].str[:3])["quality"].mean()
    assert found.mean == pytest.approx(by_problem.mean())


def test_with_few_problems_the_claim_is_about_the_items(tmp_path):
    found = standing(explored(tmp_path / "few", problems=9), "quality")
    assert (found.unit, found.units) == ("item", 27)
    assert "not about any problem" in found.note


def test_levels_of_a_problem_widen_the_interval(tmp_path):
    """Problems that are solved on all levels or on none: 24 draws, not 72."""
    run = explored(tmp_path / "run", samples=1)
    frame = run.frame()
    found = standing(run, "quality")
    items = frame.groupby("item")["quality"].mean()
    naive = 1.96 * items.std(ddof=1) / np.sqrt(len(items))
    assert (found.high - found.low) / 2 > naive


def test_groups_have_the_means_of_their_items(run):
    frame = run.frame()
    low = frame[frame["item"].str.endswith("L0")]
    found = score(run, "quality", "level 0")
    assert found.interval.estimate == pytest.approx(low["quality"].mean())
    assert (found.items, found.scored, found.unit) == (24, 96, "problem")
    high = frame[~frame["item"].str.endswith("L0")]
    assert score(run, "creativity", "levels 1 and up").interval.estimate == pytest.approx(high["creativity"].mean())


def test_novelty_of_a_group_is_of_what_passed(run):
    frame = run.frame()
    high = frame[~frame["item"].str.endswith("L0")]
    found = score(run, "novelty", "levels 1 and up")
    assert found.interval.samples == high["novelty"].notna().sum() < found.scored


def test_every_group_that_is_shown_is_there_for_every_metric(run):
    found = group_scores(from_run(run))
    groups = {s.group for s in found}
    assert groups == {ALL, "level 0", "levels 1 and up", "text", "numbers", "graphs"}
    assert len(found) == len(groups) * len(SHOWN)


def test_creativity_at_k_is_the_mean_best_of_k(run):
    frame = run.frame()
    values = frame.sort_values(["item", "sample"])["creativity"].to_numpy().reshape(-1, 4)
    for k in (2, 4):
        found = standing(run, f"creativity@{k}")
        assert found.mean == pytest.approx(best_of_k(values, k).mean())
        assert found.unit == "problem"
    assert standing(run, "creativity@4").mean == pytest.approx(values.max(axis=1).mean())


def test_pass_at_k_has_problems_as_units(run):
    frame = run.frame()
    found = standing(run, "pass@4")
    assert (found.unit, found.units) == ("problem", 24)
    assert found.mean == pytest.approx(frame.groupby("item")["quality"].max().mean())
    assert (found.worst, found.best) == (pytest.approx(found.mean),) * 2


def gathered(run):
    found = WaysGatherer()
    for sample in run.samples():
        found.add(sample)
    return found


def test_a_model_of_one_way_has_no_own_novelty(other):
    found = one(own_novelty(from_run(other), gathered(other)), group=ALL)
    assert (found.novelty.estimate, found.alike.estimate) == (0.0, 1.0)
    assert found.unit == "problem"


def test_a_model_of_several_ways_has(run):
    found = one(own_novelty(from_run(run), gathered(run)), group=ALL)
    far = max(pair_distances(SLICES))
    assert 0.3 < found.novelty.estimate < far
    assert 0.1 < found.alike.estimate < 0.9
    frame = run.frame()
    assert found.items == (frame.groupby("item")["quality"].sum() >= 2).sum()


def test_a_comparison_pairs_problems(run, other):
    row = next(r for r in compare([from_run(run), from_run(other)]).rows if r.metric == "quality")
    assert (row.unit, row.difference.units, row.difference.items) == ("problem", 24, 72)


def test_novelty_is_compared_on_items_that_both_pass(run, other):
    sides = [r.frame().dropna(subset="novelty") for r in (run, other)]
    common = set(sides[0]["item"]) & set(sides[1]["item"])
    found = one(group_differences(from_run(run), from_run(other)), metric="novelty", group=ALL)
    assert found.difference.items == len(common)
    row = next(r for r in compare([from_run(run), from_run(other)]).rows if r.metric == "novelty")
    assert row.difference.estimate == pytest.approx(found.difference.estimate)


def test_the_text_says_quality_novelty_and_creativity_apart(run):
    text = results_text([run])
    for words in ("quality", "novelty", "creativity@4", "pass@4", "level 0", "levels 1 and up", "own novelty"):
        assert words in text


def test_a_comparison_shows_them_too(run, other):
    text = comparison_text(compare([from_run(run), from_run(other)]))
    assert "novelty (exploratory)" in text
    assert "By group: other less base" in text


def test_reports_are_the_same_byte_for_byte(run, other, tmp_path):
    pages = [report_run(run, tmp_path / name).read_text() for name in ("a", "b")]
    assert pages[0] == pages[1]
    assert "One way or many" in pages[0]
    assert "By group" in pages[0]
    comparison = compare([from_run(run), from_run(other)])
    page = report_pair(run, other, tmp_path / "pair", comparison).read_text()
    assert "Differences by group" in page


def test_what_was_lost_bounds_the_mean_over_problems(tmp_path):
    run = explored(tmp_path / "run", problems=12, samples=1)
    frame = run.frame()
    with sqlite3.connect(run.path / "samples.sqlite") as db:
        db.execute("DELETE FROM samples WHERE item LIKE 'p00-%'")
    found = standing(run, "quality")
    kept = frame[~frame["item"].str.startswith("p00")]["quality"].sum() / 3
    assert (found.units, found.missing) == (11, 3)
    assert (found.worst, found.best) == (pytest.approx(kept / 12), pytest.approx((kept + 1) / 12))


def test_a_model_that_solves_nothing_has_no_novelty_to_show(tmp_path):
    run = explored(tmp_path / "none", skill=-1.0)
    found = score(run, "novelty", "level 0")
    assert (found.items, found.scored) == (0, 96)
    text = results_text([run])
    (line,) = [line for line in text.splitlines() if "level 0" in line]
    assert "–" in line
    page = report_run(run, tmp_path / "report").read_text()
    assert "no sample has a value of novelty" in page
    assert "No item has two programs of quality" in page


def test_a_board_ranks_over_problems(run, other, tmp_path):
    build([run, other], tmp_path / "site")
    (page,) = (tmp_path / "site").glob("task-creativebench*.html")
    text = page.read_text()
    assert "24 problems" in text
    assert "creativity@4" in text
