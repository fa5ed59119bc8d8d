import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from finchmark.suite.seeds import generator
from finchmark.suite.stats.naive_bayes import SMOOTHING, guess_classes, stratified_folds


def merits_by_hand(x, known, folds):
    """The rule written out for one set, unit by unit."""
    merits = np.empty((len(x), folds.class_count))
    for unit, row in enumerate(x):
        for one in range(folds.class_count):
            sums = known[(folds.fold != folds.fold[unit]) & (folds.classes == one)].sum(axis=0) + SMOOTHING
            merits[unit, one] = (row * np.log(sums / sums.sum())).sum()
    return merits


@settings(max_examples=30, deadline=None)
@given(st.integers(2, 4), st.integers(2, 5), st.integers(1, 5), st.integers(0, 10_000), st.booleans())
def test_guesses_are_those_of_the_rule_written_out(classes, units, columns, seed, elsewhere):
    rng = generator("bayes", seed)
    labels = rng.permutation(np.repeat(np.arange(classes), units))
    folds = stratified_folds(labels, 2, seed=seed)
    x = rng.integers(0, 9, size=(3, len(labels), columns))
    guesses = guess_classes(x, folds, x[:1] if elsewhere else None)
    for k in range(3):
        merits = merits_by_hand(x[k], x[0 if elsewhere else k], folds)
        # Equal merits may differ by a rounding, so that another of them is the first.
        assert merits[np.arange(len(labels)), guesses[k]] == pytest.approx(merits.max(axis=1))


def test_folds_hold_as_many_of_each_class():
    folds = stratified_folds(np.repeat(np.arange(8), 16), 8)
    cells = np.bincount(folds.fold * 8 + folds.classes)
    assert cells.tolist() == [2] * 64


def test_the_order_of_columns_changes_nothing():
    rng = generator("bayes", "columns")
    folds = stratified_folds(np.repeat(np.arange(3), 6), 3)
    x = rng.integers(0, 30, size=(18, 7))
    assert (guess_classes(x, folds) == guess_classes(x[:, ::-1], folds)).all()


def test_what_says_nothing_is_guessed_by_chance_and_not_below():
    """With one unit left out at a time it would be below."""
    folds = stratified_folds(np.repeat(np.arange(4), 8), 4)
    x = generator("bayes", "noise").poisson(3, size=(2000, 32, 6))
    right = (guess_classes(x, folds) == folds.classes).mean()
    assert right == pytest.approx(0.25, abs=0.01)


@pytest.mark.parametrize(
    ("labels", "count", "named"),
    [([0, 0, 1], 2, "sizes"), ([0, 0, 2, 2], 2, "sizes"), ([0, 0, 1, 1], 3, "folds"), ([-1, -1, 0, 0], 2, "from 0")],
)
def test_bad_folds_are_named(labels, count, named):
    with pytest.raises(ValueError, match=named):
        stratified_folds(labels, count)


def test_bad_features_are_named():
    folds = stratified_folds([0, 0, 1, 1], 2)
    with pytest.raises(ValueError, match="shape"):
        guess_classes(np.ones((3, 2)), folds)
    with pytest.raises(ValueError, match="counts"):
        guess_classes(-np.ones((4, 2)), folds)
