"""Claims that a metric reaches a level."""

from __future__ import annotations

import math
from types import MappingProxyType

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom, binomtest

from finchmark import Metric, UsageError
from finchmark.suite.claims import judge
from finchmark.suite.results import COLUMNS, Cell
from finchmark.suite.seeds import generator

BINARY = Metric(name="success", summary="", kind="binary", primary=True, failure=0.0)
GRADED = Metric(name="score", summary="")
OPEN = Metric(name="turns", summary="", direction="lower", high=None)


def make_cell(values, *, items=None, streams=None, metric=BINARY, outcomes=None, expected=None) -> Cell:
    """A cell of given values; by default an item each."""
    n = len(values)
    data = {name: [default] * n for name, default in COLUMNS.items()}
    data["item_hash"] = [str(i) for i in (items if items is not None else range(n))]
    if streams is not None:
        data["stream"] = [str(s) for s in streams]
    if outcomes is not None:
        data["outcome"] = list(outcomes)
    primary = metric if metric.primary else BINARY
    frame = pd.DataFrame(data)
    frame["success"] = np.nan
    frame[metric.name] = np.asarray(values, dtype=float)
    metrics = (primary,) if metric.primary else (primary, metric)
    return Cell("t", "1", "default", metrics, frame, expected or n, MappingProxyType({}), 1)


def claim(values, level=0.9, side="at least", confidence=0.95, **rest):
    metric = rest.get("metric", BINARY)
    return judge(make_cell(values, **rest), metric.name, side, level, confidence=confidence)


# Bounds and verdicts


def test_of_one_binary_sample_an_item_the_bound_is_exact():
    found = claim([1] * 45 + [0] * 5, level=0.8)
    low = binomtest(45, 50).proportion_ci(0.9, "exact").low  # two-sided at .90 holds each bound at .95
    assert found.low == pytest.approx(low, abs=1e-12)
    assert (found.method, found.units, found.samples) == ("clopper-pearson", 50, 50)
    assert found.verdict == ("shown" if low >= 0.8 else "cannot tell")


def test_the_level_is_shown_from_the_first_number_of_items_that_can_show_it():
    # All right: p >= .9 takes ln(.05) / ln(.9) = 28.4 items.
    assert claim([1] * 28).verdict == "cannot tell"
    assert claim([1] * 29).verdict == "shown"


def test_a_level_that_is_missed_is_refuted():
    found = claim([1] * 30 + [0] * 30)
    assert found.verdict == "refuted"
    assert "shown to be below" in found.words


def test_at_most_mirrors_at_least():
    values = [1] * 41 + [0] * 9
    below = claim([1 - v for v in values], level=0.3, side="at most")
    above = claim(values, level=0.7)
    assert below.verdict == above.verdict == "shown"
    assert below.high == pytest.approx(1 - above.low)


def test_more_confidence_asks_for_more():
    assert claim([1] * 29, confidence=0.95).verdict == "shown"
    assert claim([1] * 29, confidence=0.99).verdict == "cannot tell"


def test_several_samples_of_an_item_are_no_items():
    alone = claim([1] * 29)
    repeated = claim([1] * 29, items=[0] * 29)
    assert alone.verdict == "shown"
    assert (repeated.verdict, repeated.units, repeated.samples) == ("cannot tell", 1, 29)


def test_streams_are_the_units_where_there_are_streams():
    found = claim([1] * 80, streams=[i % 8 for i in range(80)], level=0.6)
    assert (found.unit, found.units, found.verdict) == ("stream", 8, "shown")


def test_under_six_streams_there_is_no_verdict():
    found = claim([1] * 500, streams=[i % 5 for i in range(500)], level=0.1)
    assert found.verdict == "cannot tell"
    assert "these agent states only" in found.words
    assert found.more is not None
    assert found.units + found.more >= 6


def test_of_graded_values_the_bound_is_not_ts():
    # 30 items of 1: t has no spread and would show anything.
    few = claim([1.0] * 28, metric=GRADED)
    assert few.verdict == "cannot tell"
    spread = claim(0.9 + 0.1 * generator("graded").random(100), metric=GRADED, level=0.92)
    assert (spread.verdict, spread.method) == ("shown", "t and score")


def test_an_open_metric_gets_a_verdict_from_thirty_items_on():
    turns = generator("open").normal(20, 3, 40)
    assert claim(turns, metric=OPEN, level=25, side="at most").verdict == "shown"
    short = claim(turns[:29], metric=OPEN, level=25, side="at most")
    assert (short.verdict, short.more) == ("cannot tell", 1)
    alike = claim([20.0] * 35 + [21.0] * 5, metric=OPEN, level=25, side="at most")
    assert (alike.verdict, alike.more) == ("cannot tell", None)


def test_errors_do_not_count_and_failures_do():
    outcomes = ["ok"] * 40 + ["invalid"] * 3 + ["refused"] * 2 + ["error"]
    found = claim([1] * 40 + [0] * 5 + [math.nan], outcomes=outcomes, level=0.5)
    assert (found.invalid, found.refused, found.lost, found.units) == (3, 2, 1, 45)
    assert "3 invalid, 2 refused, 1 lost" in found.words


def test_samples_without_a_value_are_said():
    found = claim([1] * 30 + [math.nan] * 10, level=0.5)
    assert "applies to 30 of 40 scored samples" in found.words


def test_without_any_value_nothing_is_told():
    found = claim([math.nan] * 5, level=0.5)
    assert (found.verdict, found.more) == ("cannot tell", None)
    assert math.isnan(found.estimate)
    assert "No scored sample has a value" in found.words


# How many more


@pytest.mark.parametrize(("right", "level"), [(94, 0.9), (86, 0.9), (55, 0.5), (97, 0.95)])
def test_the_items_that_are_asked_for_tell_in_four_cases_of_five(right, level):
    found = claim([1] * right + [0] * (100 - right), level=level)
    assert found.verdict == "cannot tell"
    n, p = found.units + found.more, right / 100
    bounds = [binomtest(k, n).proportion_ci(0.9, "exact") for k in range(n + 1)]
    told = [b.low >= level if p > level else b.high < level for b in bounds]
    assert 0.75 < binom.pmf(np.arange(n + 1), n, p)[told].sum() < 0.88


def test_items_that_agree_need_as_many_as_can_show_anything():
    found = claim([1] * 10)
    assert found.more == 19


def test_an_estimate_at_the_level_asks_for_no_number():
    found = claim([1] * 9 + [0], level=0.9)
    assert found.more is None
    assert "hardly any number of items" in found.words


# What makes no sense


@pytest.mark.parametrize(
    ("level", "side", "confidence", "said"),
    [
        (1.0, "at least", 0.95, "cannot be shown by any number of items"),
        (0.0, "at most", 0.95, "such as 0.05"),
        (1.5, "at least", 0.95, r"lies in \[0, 1\]"),
        (math.nan, "at least", 0.95, r"lies in \[0, 1\]"),
        (0.9, "at least", 95, "between 0.5 and 1"),
        (0.9, "above", 0.95, "'at least' or 'at most'"),
    ],
)
def test_claims_that_make_no_sense_are_refused(level, side, confidence, said):
    with pytest.raises(UsageError, match=said):
        claim([1] * 30, level=level, side=side, confidence=confidence)


def test_a_misspelt_metric_is_named_and_guessed():
    with pytest.raises(UsageError, match="Did you mean 'success'"):
        judge(make_cell([1]), "sucess", "at least", 0.5)


@given(
    n=st.integers(1, 60),
    repeats=st.integers(1, 4),
    share=st.floats(0, 1),
    level=st.floats(0.01, 0.99),
    kind=st.sampled_from([BINARY, GRADED]),
)
@settings(max_examples=60)
def test_a_claim_and_its_opposite_are_never_both_shown(n, repeats, share, level, kind):
    rng = generator("both", n, repeats, str(share))
    values = (rng.random(n * repeats) < share).astype(float)
    items = np.repeat(np.arange(n), repeats)
    least = claim(values, level=level, items=items, metric=kind)
    most = claim(values, level=level, items=items, metric=kind, side="at most")
    assert {least.verdict, most.verdict} in ({"shown", "refuted"}, {"cannot tell"})
    assert least.low <= least.estimate <= least.high


@pytest.mark.parametrize("side", ["at least", "at most"])
@pytest.mark.parametrize(("level", "items", "samples"), [(0.9, 30, 1), (0.9, 30, 4), (0.98, 60, 4)])
def test_false_claims_are_granted_seldom(level, items, samples, side):
    """At a true mean that is the level itself; t: up to .54, Wilson .13 (bench_claims.py has the grid)."""
    rng = generator("false claims", items, samples, side)
    shown = 0
    rounds = 400
    metric = BINARY.model_copy(update={"kind": "binary"})
    for _ in range(rounds):
        rates = rng.beta(level * 0.5, (1 - level) * 0.5, items)
        values = (rng.random((items, samples)) < rates[:, None]).astype(float).ravel()
        shown += (
            claim(values, level, side, items=np.repeat(np.arange(items), samples), metric=metric).verdict == "shown"
        )
    assert shown / rounds <= 0.055 + 2.5 * math.sqrt(0.05 * 0.95 / rounds)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("end", [0.0, 1.0])
def test_graded_units_at_the_end_of_the_range_raise_no_warning(end):
    found = judge(make_cell([end] * 20, metric=GRADED), "score", "at least", 0.5)
    assert found.verdict == ("shown" if end else "refuted")
