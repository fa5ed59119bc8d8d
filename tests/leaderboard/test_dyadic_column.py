"""Columns whose units are pairs of larger ones: nothing on a board takes such units for independent."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from finchmark.leaderboard.columns import columns
from finchmark.leaderboard.entries import entries
from finchmark.leaderboard.lineup import lineup
from finchmark.leaderboard.pair_page import pair_page
from finchmark.leaderboard.standings import rows
from finchmark.suite.records import Grouping, Metric
from finchmark.suite.seeds import generator

SOLVED = Metric(name="solved", summary="", kind="binary", primary=True, clusters=("sample", "item", "parents"))
PARENTS = 20
PAIRS = [(k, (k + step) % PARENTS) for k in range(PARENTS) for step in (1, 2, 5)]
STRETCH = np.sqrt(1 + 0.5 * 10)  # six pairs a parent, so ten neighbours a pair


def scored(seed, strength):
    """One sample an item: solved if its parents are strong enough together."""
    own = generator("test dyadic column", seed).uniform(0, 1, size=PARENTS) + strength
    return {f"i{a:02d}-{b:02d}": [float(own[a] + own[b] > 1)] for a, b in PAIRS}


@pytest.fixture
def runs(make_run):
    made = []
    for seed, strength in ((1, 0.0), (2, 0.2)):
        run = make_run(scored(seed, strength), metrics=(SOLVED,), label=f"m{seed}", folder=str(seed))
        sheet = run.manifest.tasks["family/task"]
        items = sorted(set(run.table["item"]))
        pairs = Grouping(name="parents", groups={i: i[1:].replace("-", "+") for i in items}, dyadic=True)
        told = {"family/task": sheet.model_copy(update={"groupings": (pairs,)})}
        made.append(replace(run, manifest=run.manifest.model_copy(update={"tasks": told})))
    return made


@pytest.fixture
def column(runs):
    listed = entries(runs)
    (found,) = columns(listed, [row for entry in listed for row in rows(entry)])
    return found


def test_units_are_pairs_and_their_larger_units_are_known(column):
    assert column.unit == "parents"
    assert column.dyads is not None
    assert column.dyads[0] == ("00", "01")


def test_standings_are_dyadic(column):
    standing = column.primary_of("m1")
    assert standing.method == "dyadic wilson"
    assert standing.units == PARENTS


def test_what_ranks_are_made_of_is_stretched_about_its_mean(column):
    plain, wide = column.scores.of(["m1", "m2"]), column.spread(["m1", "m2"])
    np.testing.assert_allclose(wide.mean(axis=1), plain.mean(axis=1))
    np.testing.assert_allclose(wide.std(axis=1), STRETCH * plain.std(axis=1))
    difference = (wide[0] - wide[1]).std() / (plain[0] - plain[1]).std()
    assert difference == pytest.approx(STRETCH)


def test_two_entries_are_compared_by_the_dyadic_test(runs):
    page = pair_page(lineup(runs), "m1", "m2")
    assert page.contrasts[0].methods == "dyadic tango"
