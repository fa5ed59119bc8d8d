"""Units that are pairs of larger ones: in comparisons, gates and the records that say so."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.special import ndtri

from finchmark.suite.baseline import make_baseline
from finchmark.suite.claims import judge
from finchmark.suite.comparison import compare
from finchmark.suite.gate import decide_gate
from finchmark.suite.policy import Policy
from finchmark.suite.records import Grouping, Metric
from finchmark.suite.seeds import generator
from finchmark.suite.stats.decision import decide

SUCCESS = Metric(
    name="success", summary="", kind="graded", failure=0.0, primary=True, clusters=("sample", "item", "parents")
)
PARENTS = 20
NEIGHBOURS = 10  # each parent is in six pairs, and each pair has two parents
PAIRS = [(k, (k + step) % PARENTS) for k in range(PARENTS) for step in (1, 2, 5)]


def pairs(items):
    return (Grouping(name="parents", groups={i: "+".join(i.split("-")[1:]) for i in items}, dyadic=True),)


def values(strengths):
    """One score an item, the mean of its parents' strengths."""
    return {f"i-p{a:02d}-p{b:02d}": [float(np.clip((strengths[a] + strengths[b]) / 2, 0, 1))] for a, b in PAIRS}


@pytest.fixture
def cell(make_cell):
    def make(items, **fields):
        return make_cell(items, metrics=(SUCCESS,), groupings=pairs(items), **fields)

    return make


def strong(seed, shift=0.0):
    return generator("test dyadic units", seed).uniform(0.2, 0.6, size=PARENTS) + shift


def test_a_grouping_tells_the_two_units_of_a_group():
    told = Grouping(name="parents", groups={"x": "a+b", "y": "b+c", "z": ""}, dyadic=True)
    assert told.dyads == {"a+b": ("a", "b"), "b+c": ("b", "c")}
    assert Grouping(name="problem", groups={"x": "a+b"}).dyads == {}


def test_a_comparison_is_dyadic(cell, make_results):
    sides = [cell(values(strong(1))), cell(values(strong(2, 0.1)))]
    row = compare([make_results("a", sides[0]), make_results("b", sides[1])]).rows[0]
    assert (row.unit, row.difference.units) == ("parents", len(PAIRS))
    assert row.difference.method == row.difference.test == "dyadic tango"
    alone = [replace(side, groupings=()) for side in sides]
    naive = compare([make_results("a", alone[0]), make_results("b", alone[1])]).rows[0]
    assert row.difference.estimate == pytest.approx(naive.difference.estimate)
    assert row.difference.high - row.difference.low > 1.3 * (naive.difference.high - naive.difference.low)


def test_flips_of_all_candidates_together_are_not_tried_on_dyads(cell, make_results):
    runs = [make_results(name, cell(values(strong(k)))) for k, name in enumerate("abc")]
    assert {row.correction for row in compare(runs, correction="max-t").rows} == {"holm"}


def test_items_that_only_one_side_has_are_left_out(cell, make_results):
    base, more = values(strong(1)), values(strong(2))
    fewer = dict(list(more.items())[:-3])
    row = compare([make_results("a", cell(base)), make_results("b", cell(fewer))]).rows[0]
    assert (row.difference.units, row.difference.only_a) == (len(PAIRS) - 3, 3)


def solved(strengths):
    """One score an item: 1 where its parents are strong enough together."""
    return {f"i-p{a:02d}-p{b:02d}": [float(strengths[a] + strengths[b] > 1)] for a, b in PAIRS}


def test_a_fixed_gate_is_dyadic(cell, make_results):
    """Parents that became weaker and stronger at random: taken for independent, items make it look more certain."""
    old, new = (generator("test dyadic gate", k).uniform(0, 1, size=PARENTS) for k in (1, 2))
    baseline = make_baseline(make_results("old", cell(solved(old))))
    candidate = make_results("new", cell(solved(new)))
    look = decide_gate(baseline, candidate, Policy(mode="fixed"), foresee=False).looks[0].decision
    alone = make_results("new", replace(candidate.cells[0], groupings=()))
    naive = decide_gate(baseline, alone, Policy(mode="fixed"), foresee=False).looks[0].decision
    assert look.method.endswith("and dyadic tango")
    assert look.difference == pytest.approx(naive.difference)
    assert look.low < naive.low
    assert look.high > naive.high
    assert max(look.pass_pvalue, look.regression_pvalue) >= max(naive.pass_pvalue, naive.regression_pvalue)


@pytest.mark.slow
def test_a_candidate_at_the_margin_passes_rarely():
    """A change exactly as bad as the margin, of parents rather than of items; taken for independent it passes more."""
    rng = generator("test dyadic decision", 1)
    one, two = np.array(PAIRS).T
    dyads = [(f"p{a}", f"p{b}") for a, b in PAIRS]
    passed = naive = 0
    for _ in range(200):
        latent = rng.standard_normal(PARENTS)
        change = (latent[one] + latent[two]) / np.sqrt(2)
        d = (change > ndtri(0.75)).astype(float) - (change < ndtri(0.30))
        passed += decide(d, 0.05, dyads=dyads).verdict == "pass"
        naive += decide(d, 0.05).verdict == "pass"
    assert passed / 200 <= 0.06
    assert naive / 200 > 0.1


def test_an_open_metric_is_decided_by_t():
    d = np.linspace(0.5, 1.5, len(PAIRS))
    dyads = [(f"p{a}", f"p{b}") for a, b in PAIRS]
    assert decide(d, 0.1, span=None, dyads=dyads).method == "t and dyadic t"
    assert decide(np.zeros(40), 0.1, span=None, dyads=dyads[:40]).verdict == "inconclusive"


def test_differences_and_dyads_must_be_as_many():
    with pytest.raises(ValueError, match="of 3 units, not of 2"):
        decide([0.1, 0.2, 0.3], 0.05, dyads=[("a", "b"), ("b", "c")])


def test_a_claim_is_dyadic(cell):
    """Solved items hang together by their parents: the claim's bounds are wider than those of independent items."""
    side = cell(solved(generator("test dyadic claim", 1).uniform(0.2, 1.2, size=PARENTS)))
    found = judge(side, "success", "at least", 0.2)
    naive = judge(replace(side, groupings=()), "success", "at least", 0.2)
    assert found.estimate == naive.estimate
    assert found.method.endswith("dyadic t")
    assert (found.low, found.high) <= (naive.low, found.high)
    assert found.high - found.low > naive.high - naive.low


def test_the_mean_over_tasks_stretches_dyads(make_cell, make_results):
    """Two tasks of one family: the interval of their mean is wider than that of independent items."""
    runs = []
    for seed in (1, 5):
        sides = [values(strong(seed)), values(strong(seed + 1))]
        cells = [
            make_cell(items, metrics=(SUCCESS,), groupings=pairs(items), task=f"family/t{k}")
            for k, items in enumerate(sides)
        ]
        runs.append(make_results(f"run {seed}", *cells))
    wide = compare(runs).overall[0]
    plain = [replace(run, cells=tuple(replace(c, groupings=()) for c in run.cells)) for run in runs]
    narrow = compare(plain).overall[0]
    assert wide.estimate == pytest.approx(narrow.estimate)
    assert wide.high - wide.low == pytest.approx((narrow.high - narrow.low) * np.sqrt(1 + 0.5 * NEIGHBOURS), rel=0.02)
