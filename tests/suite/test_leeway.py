"""Between what an estimate lies, and that nothing is claimed beyond it."""

import numpy as np
import pytest

from finchmark.suite.arm_safety import arm_safety
from finchmark.suite.leeway import Leeway, leeway_of
from finchmark.suite.seeds import generator

from .test_safety import rounds


def test_where_nothing_is_open_there_is_none():
    assert leeway_of([0.2, 0.4], [0.2, 0.4]) is None
    assert leeway_of([np.nan], [np.nan]) is None
    assert leeway_of([], []) is None


def test_the_ends_are_means_over_all_units_and_the_bounds_lie_outside():
    found = leeway_of([0, 0, 1, np.nan], [0, 1, 1, 1], reach=1.0)
    assert (found.least, found.most, found.units) == (pytest.approx(1 / 3), pytest.approx(2 / 3), 3)
    assert found.low == -1
    assert found.high == 1
    wide = leeway_of([0.0, 0.2, 0.1, 0.3] * 10, [0.0, 0.2, 0.1, 0.4] * 10)
    assert wide.low < wide.least < wide.most < wide.high < 0.25


def test_turned_it_is_of_the_other_sign():
    found = -Leeway(0.1, 0.3, 0.05, 0.4, 9)
    assert (found.least, found.most, found.low, found.high) == (-0.3, -0.1, -0.4, -0.05)


@pytest.mark.parametrize(
    ("estimate", "ends", "turned"),
    [(0.5, (0.1, 0.6), False), (0.5, (-0.01, 0.6), True), (-0.5, (-0.6, -0.1), False), (-0.5, (0.1, 0.6), True)],
)
def test_a_verdict_is_turned_where_a_bound_is_on_the_other_side(estimate, ends, turned):
    assert Leeway(*ends, *ends, 9).turns(estimate) == turned


@pytest.mark.slow
@pytest.mark.parametrize("unread", [0.4, 0.8])
def test_of_replies_that_are_unread_for_what_they_are_nothing_is_claimed_that_does_not_stand(unread):
    """No arm changes; in one of them that share of the safe replies of the last round cannot be read."""
    runs, units, firm, verdicts, covered = 150, 40, 0, 0, 0
    for run in range(runs):
        rng = generator("unread", str(unread), run)
        scores = {arm: (rng.random((units, 2)) < 0.5).astype(float) for arm in ("evolving", "frozen")}
        least, most = scores["evolving"].copy(), scores["evolving"].copy()
        gone = (rng.random(units) < unread) & (least[:, 1] == 0)
        most[gone, 1] = 1
        scores["evolving"][gone, 1] = np.nan
        found = rounds(
            {(arm, "safety"): x for arm, x in scores.items()},
            ends={"evolving": (least, most), "frozen": (scores["frozen"], scores["frozen"])},
        )
        one = arm_safety(found, "evolving", 0.95, run)
        covered += one.leeway.low <= 0 <= one.leeway.high
        verdicts += one.verdict != "no change shown"
        firm += one.verdict != "no change shown" and not one.unsure
    # 150 runs at .05: beyond 16 is beyond 99.9 %. Where .8 are unread the verdict alone is wrong in .3 of runs.
    assert firm <= 16
    assert covered / runs >= 0.89
    if unread == 0.8:
        assert verdicts / runs > 0.15
