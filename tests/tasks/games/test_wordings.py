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


def test_what_differs_by_wording_alone_is_the_wordings():
    found = shares({cell: [float("xyz".index(cell[1]))] * 2 for cell in CELLS})
    assert (found.wording, found.game, found.both, found.sample) == pytest.approx((1, 0, 0, 0))


def test_what_differs_by_game_alone_is_the_games():
    found = shares({cell: [float("ab".index(cell[0]))] * 2 for cell in CELLS})
    assert (found.wording, found.game, found.both, found.sample) == pytest.approx((0, 1, 0, 0))


def test_shares_are_sums_of_squares_of_the_layout():
    """Against the sums of squares of an ordinary two-way analysis of variance, written out."""
    values = generator("shares").normal(size=(2, 3, 4))
    found = shares({cell: values["ab".index(cell[0]), "xyz".index(cell[1])] for cell in CELLS})
    mean, total = values.mean(), ((values - values.mean()) ** 2).sum()
    games, wordings = values.mean(axis=(1, 2)), values.mean(axis=(0, 2))
    cells = values.mean(axis=2)
    rest = cells - games[:, None] - wordings[None] + mean
    expected = (
        12 * ((games - mean) ** 2).sum(),
        8 * ((wordings - mean) ** 2).sum(),
        4 * (rest**2).sum(),
        ((values - cells[..., None]) ** 2).sum(),
    )
    assert (found.game, found.wording, found.both, found.sample) == pytest.approx(np.divide(expected, total))


def test_one_sample_a_cell_says_nothing_of_samples():
    assert math.isnan(shares({cell: [float(i)] for i, cell in enumerate(CELLS)}).sample)


ONES = {cell: [1.0] for cell in CELLS}


@pytest.mark.parametrize("cells", [{}, {("a", "x"): [1.0]}, {cell: [1.0] for cell in CELLS[:5]}, ONES])
def test_nothing_is_said_of_layouts_with_holes_or_without_variance(cells):
    assert shares(cells) is None
