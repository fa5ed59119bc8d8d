"""Yields: who is counted where, and with what uncertainty."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finchmark.suite.stats.intervals import clopper_pearson, wilson
from finchmark.suite.worldsmith.yields import STAGES, yield_table, yields


@given(st.lists(st.sampled_from([None, *STAGES]), max_size=30))
def test_shares_multiply_to_the_overall_yield(failed_at):
    repairs = [None if at in ("design", "specification") else 0 for at in failed_at]
    found = {row.stage: row for row in yields(failed_at, repairs)}
    share = 1.0
    for stage in STAGES:
        row = found[stage]
        assert row.entered >= row.passed >= 0
        share *= row.passed / row.entered if row.entered else 1.0
    overall = found["overall"]
    assert overall.passed == failed_at.count(None)
    if failed_at:
        assert overall.passed / overall.entered == pytest.approx(share)


def test_intervals_are_those_of_the_statistics():
    row = yields([None, "audit", None], [0, 0, 1])[-1]
    w, c = wilson(2, 3), clopper_pearson(2, 3)
    assert row.wilson == (w.low, w.high)
    assert row.exact == (c.low, c.high)


def test_a_stage_that_nobody_reached_has_no_share():
    text = yield_table(yields(["design"], [None]), tokens=(1, 2), cost=0.0)
    assert "ladder            0/0          -" in text
    assert "no world" in text


def test_what_never_was_a_specification_has_no_repairs():
    with pytest.raises(ValueError, match="failed at design"):
        yields(["design"], [0])


def test_an_unknown_stage_is_refused():
    with pytest.raises(ValueError, match="'sleep'"):
        yields(["sleep"], [None])
