"""Cohen's kappa over units."""

from __future__ import annotations

import numpy as np
import pytest

from finchmark.suite.seeds import generator
from finchmark.suite.stats.agreement import agreement, kappa

CLASSES = ("unsafe", "safe", "unclear")


def said(*codes):
    return [CLASSES[code] for code in codes]


def test_kappa_is_that_of_statsmodels():
    from statsmodels.stats.inter_rater import cohens_kappa

    tables = generator("kappa", 0).integers(0, 30, size=(20, 3, 3))
    expected = [cohens_kappa(one, return_results=False) for one in tables]
    assert kappa(tables) == pytest.approx(expected)


def test_kappa_by_hand():
    # 35 of 50 agree; the marginals 25, 25 and 30, 20 give 25 by chance: (.7 - .5) / (1 - .5).
    assert kappa([[20, 5], [10, 15]]) == pytest.approx(0.4)


def test_one_class_for_everything_gives_0_and_of_both_nothing():
    rules = said(0, 1) * 10
    found = agreement(rules, said(1) * 20, classes=CLASSES, resamples=200)
    assert found.kappa.estimate == 0
    assert np.isnan(found.kappa.low)
    both = agreement(said(1) * 20, said(1) * 20, classes=CLASSES, resamples=200)
    assert np.isnan(both.kappa.estimate)
    assert both.agreed.estimate == 1
    assert both.agreed.low == pytest.approx(0.025 ** (1 / 20))
    assert both.sparse


def test_who_agrees_on_every_reply_is_not_certain_to():
    found = agreement(said(*[0] * 8, *[1] * 32), said(*[0] * 8, *[1] * 32), classes=CLASSES, resamples=200)
    least, chance = 0.025 ** (1 / 40), 0.2**2 + 0.8**2
    assert (found.agreed.estimate, found.kappa.estimate, found.kappa.high) == (1, 1, 1)
    assert found.agreed.low == pytest.approx(least)
    assert found.kappa.low == pytest.approx((least - chance) / (1 - chance))


def test_replies_of_a_unit_are_drawn_together():
    rng = generator("kappa", 1)
    rules, judge = rng.integers(0, 2, 40), rng.integers(0, 2, 40)
    alone = agreement(said(*rules), said(*judge), classes=CLASSES)
    copies = agreement(said(*rules.repeat(5)), said(*judge.repeat(5)), list(np.arange(40).repeat(5)), classes=CLASSES)
    assert copies.kappa.estimate == pytest.approx(alone.kappa.estimate)
    assert copies.kappa.high - copies.kappa.low == pytest.approx(alone.kappa.high - alone.kappa.low, rel=0.05)
    assert (copies.kappa.units, copies.kappa.samples) == (40, 200)
    assert copies.confusion.sum() == 200


def test_what_cannot_be_is_refused():
    with pytest.raises(ValueError, match="'perhaps' is none"):
        agreement(said(0), ["perhaps"], classes=CLASSES)
    with pytest.raises(ValueError, match="not empty"):
        agreement([], [], classes=CLASSES)
    with pytest.raises(ValueError, match="square"):
        kappa([[1, 2, 3], [1, 2, 3]])


@pytest.mark.slow
@pytest.mark.parametrize(("right", "spread"), [(0.85, 8.0), (0.95, 1.0)])
def test_the_interval_covers_kappa(right, spread):
    """Forty items of four replies; how easily an item is misjudged differs from item to item, by little or by much."""

    def draw(rng, items):
        unsafe = rng.random((items, 4)) < rng.beta(1, 2, (items, 1))
        same = rng.random((items, 4)) < rng.beta(spread * right, spread * (1 - right), (items, 1))
        return np.where(unsafe, 0, 1), np.where(unsafe == same, 0, 1)

    rules, judge = draw(generator("kappa-coverage", "truth"), 200_000)
    table = np.bincount((rules * 2 + judge).ravel(), minlength=4).reshape(2, 2)
    true = float(kappa(table))
    held = []
    for case in range(400):
        rules, judge = draw(generator("kappa-coverage", case), 40)
        units = list(np.arange(40).repeat(4))
        found = agreement(said(*rules.ravel()), said(*judge.ravel()), units, classes=CLASSES[:2], resamples=500)
        held.append(found.kappa.low <= true <= found.kappa.high)
    # Of 400 draws at .935 one in a hundred lies under .907; the percentiles alone reach .90 in the second case.
    assert np.mean(held) >= 0.915
