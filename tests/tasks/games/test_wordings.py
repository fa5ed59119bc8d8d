"""Three wordings, and what share of a score's variance is theirs."""

from __future__ import annotations

import math

import numpy as np
import pytest

pytest.importorskip("pyspiel")

from finchmark.environments.openspiel.games import GAMES
from finchmark.environments.openspiel.words import find_words
from finchmark.suite.errors import UsageError
from finchmark.suite.seeds import generator
from finchmark.tasks.games.wordings import WORDINGS, find_wording, shares, told

CELLS = [(game, wording) for game in ("a", "b") for wording in ("x", "y", "z")]


@pytest.mark.parametrize("game", [line.name for line in GAMES])
@pytest.mark.parametrize("wording", WORDINGS)
def test_no_rule_is_lost_in_a_list(game, wording):
    rules = find_words(game).rules
    text = told(wording, rules, warned=False)
    assert all(part in text.replace("\n- ", " ") for part in rules.split(". "))


def test_an_unknown_wording_is_refused():
    with pytest.raises(UsageError, match="goal-first"):
        find_wording("goal")


def layout(values):
    """Cells of an array of shape (games, wordings, samples)."""
    return {(str(g), str(w)): values[g, w] for g in range(values.shape[0]) for w in range(values.shape[1])}


def test_what_differs_by_wording_alone_is_the_wordings():
    found = shares({cell: [float("xyz".index(cell[1]))] * 2 for cell in CELLS})
    assert (found.wording, found.game, found.both, found.sample) == pytest.approx((1, 0, 0, 0))
    assert found.pvalue == 0


def test_what_differs_by_game_alone_is_the_games():
    found = shares({cell: [float("ab".index(cell[0]))] * 2 for cell in CELLS})
    assert (found.wording, found.game, found.both, found.sample) == pytest.approx((0, 1, 0, 0))
    assert found.pvalue == 1


def test_components_come_out_on_average_as_they_were_put_in():
    """Variances 4 (games), 1 (wordings), .5 (both), 2 (samples); many games: a mean of ratios is no ratio of means."""
    rng, parts = generator("components"), []
    for _ in range(60):
        values = (
            2 * rng.normal(size=(60, 1, 1))
            + rng.normal(size=(1, 30, 1))
            + 0.5**0.5 * rng.normal(size=(60, 30, 1))
            + 2**0.5 * rng.normal(size=(60, 30, 3))
        )
        found = shares(layout(values))
        parts.append((found.game, found.wording, found.both, found.sample))
    assert np.mean(parts, axis=0) == pytest.approx(np.array([4, 1, 0.5, 2]) / 7.5, abs=0.035)


def test_the_f_test_is_that_of_a_two_way_analysis_of_variance():
    import pandas as pd
    from statsmodels.formula.api import ols
    from statsmodels.stats.anova import anova_lm

    values = generator("anova").normal(size=(2, 3, 4)) + np.array([0, 0.5, 1])[:, None]
    frame = pd.DataFrame(
        [(g, w, x) for (g, w), cell in layout(values).items() for x in cell], columns=["game", "wording", "x"]
    )
    table = anova_lm(ols("x ~ C(game) * C(wording)", frame).fit(), typ=2)
    assert shares(layout(values)).pvalue == pytest.approx(table.loc["C(wording)", "PR(>F)"])


def test_with_one_sample_a_cell_it_is_tested_against_what_is_left():
    import pandas as pd
    from statsmodels.formula.api import ols
    from statsmodels.stats.anova import anova_lm

    values = generator("one a cell").normal(size=(4, 3, 1))
    frame = pd.DataFrame([(*key, cell[0]) for key, cell in layout(values).items()], columns=["game", "wording", "x"])
    table = anova_lm(ols("x ~ C(game) + C(wording)", frame).fit(), typ=2)
    found = shares(layout(values))
    assert found.pvalue == pytest.approx(table.loc["C(wording)", "PR(>F)"])
    assert math.isnan(found.both)


@pytest.mark.parametrize("shape", [(1, 3, 2), (2, 3, 1), (2, 3, 2)])
def test_who_takes_no_notice_of_the_wording_is_rarely_said_to(shape):
    rng = generator("no notice", *shape)
    found = [shares(layout(rng.normal(size=shape) + 3 * rng.normal(size=(shape[0], 1, 1)))) for _ in range(400)]
    # 400 tests at .05: .09 is almost 4 standard errors above it.
    assert np.mean([one.pvalue < 0.05 for one in found]) < 0.09


def test_one_game_cannot_tell_a_wording_from_a_wording_that_suits_it():
    found = shares(layout(generator("one game").normal(size=(1, 3, 4))))
    assert math.isnan(found.both)
    assert math.isnan(found.game)
    assert found.wording + found.sample == pytest.approx(1)


ONES = {cell: [1.0] for cell in CELLS}
NOTHING = [
    {}, {("a", "x"): [1.0]}, {cell: [1.0] for cell in CELLS[:5]}, ONES, {("a", "x"): [1.0], ("a", "y"): [2.0]}
]  # fmt: skip


@pytest.mark.parametrize("cells", NOTHING)
def test_nothing_is_said_of_layouts_that_cannot_tell(cells):
    assert shares(cells) is None
