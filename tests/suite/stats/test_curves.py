import numpy as np
import pytest
from scipy import stats

from finchmark.suite.seeds import generator
from finchmark.suite.stats.curves import by_cluster, forgetting, learning, score_curve


def ar(rng, streams, rounds=20, phi=0.8):
    """Streams of a drift-free state whose rounds correlate, of variance 1 / (1 - phi^2)."""
    x = np.empty((streams, rounds))
    x[:, 0] = rng.normal(0, 1 / np.sqrt(1 - phi**2), streams)
    for t in range(1, rounds):
        x[:, t] = phi * x[:, t - 1] + rng.normal(size=streams)
    return x


def test_rows_become_clusters_by_points():
    values, points, clusters = by_cluster([1, 0, 1, np.nan, 0.5], ["b", "b", "b", "a", "a"], [2, 1, 2, 1, 2])
    assert clusters == ("b", "a")
    assert points.tolist() == [1, 2]
    assert np.array_equal(values, [[0, 1], [np.nan, 0.5]], equal_nan=True)


def test_rows_that_do_not_match_are_named():
    with pytest.raises(ValueError, match="as many: 2, 1 and 2"):
        by_cluster([1, 2], ["a"], [1, 2])


def test_the_curve_averages_clusters_and_agrees_with_scipy():
    x = generator("curve").uniform(size=(12, 5))
    r = score_curve(x, [1, 2, 3, 4, 5])
    assert r.mean == pytest.approx(x.mean(axis=0))
    theirs = stats.ttest_1samp(x, 0).confidence_interval()
    assert (r.low, r.high) == (pytest.approx(theirs.low), pytest.approx(theirs.high))
    assert (r.band_low < r.low).all()
    assert (r.band_high > r.high).all()


def test_points_that_move_together_need_no_wider_band():
    x = np.repeat(generator("together").uniform(size=(20, 1)), 8, axis=1)
    r = score_curve(x)
    assert r.level == pytest.approx(0.05, rel=0.1)


def test_late_turns_have_fewer_clusters():
    x = generator("late").uniform(size=(10, 4))
    x[3:, 2] = np.nan
    x[1:, 3] = np.nan
    r = score_curve(x)
    assert r.clusters.tolist() == [10, 10, 3, 1]
    assert (r.low[3], r.high[3]) == (0, 1)  # one cluster bounds nothing
    assert r.high[2] - r.low[2] > r.high[0] - r.low[0]


def test_a_turn_that_nobody_reached_has_no_mean():
    r = score_curve([[0.5, np.nan], [0.6, np.nan]])
    assert np.isnan(r.mean[1])
    assert (r.low[1], r.high[1]) == (0, 1)


def test_equal_clusters_are_not_certain():
    r = score_curve(np.ones((12, 3)))
    assert (r.low < 1).all()
    assert (r.band_low < r.low).all() or (r.band_low == r.low).all()


def test_a_line_is_summarised_exactly():
    x = np.array([[0.1, 0.2, 0.3, 0.4], [0.2, 0.2, 0.2, 0.2], [0.0, 0.2, 0.4, 0.6]])
    r = learning(x)
    assert r.slope.estimate == pytest.approx(0.1)
    assert r.gain.estimate == pytest.approx(0.3)
    assert r.area.estimate == pytest.approx(0.15)
    assert r.slope.units == 3
    assert r.one_state


def test_time_may_be_uneven():
    r = learning([[0.0, 1.0, 4.0]] * 6, [0, 1, 4])
    assert r.slope.estimate == pytest.approx(1)
    assert r.area.estimate == pytest.approx(2)
    assert not r.one_state


def test_windows_average_both_ends():
    r = learning([[0.0, 0.2, 0.5, 0.7]] * 2, window=2)
    assert r.gain.estimate == pytest.approx(0.5)


def test_slopes_agree_with_scipy():
    x, at = ar(generator("slopes"), 8), np.arange(20.0)
    ours = learning(x).slope
    theirs = [stats.linregress(at, row).slope for row in x]
    assert ours.estimate == pytest.approx(np.mean(theirs))
    assert (ours.low, ours.high) == pytest.approx(tuple(stats.ttest_1samp(theirs, 0).confidence_interval()))


def test_forgetting_is_the_loss_since_learning():
    # Two tasks, learnt in rounds 0 and 1 of 3.
    x = np.array([[[0.9, 0.1], [0.7, 0.8], [0.5, 0.8]], [[0.8, 0.2], [0.8, 0.6], [0.8, 0.4]]])
    assert forgetting(x, [0, 1]).estimate == pytest.approx(np.mean([(0.4 + 0) / 2, (0 + 0.2) / 2]))


def test_who_forgets_nothing_is_not_said_to():
    noise = generator("noise").normal(0.5, 0.1, (400, 10, 3))
    assert abs(forgetting(noise, [0, 1, 2]).estimate) < 0.015
    best_so_far = (noise[:, :-1].max(axis=1) - noise[:, -1]).mean()
    assert best_so_far > 0.1


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: score_curve([0.1, 0.2]), "shape"),
        (lambda: score_curve([[0.1, 0.2]], [2, 1]), "ascending"),
        (lambda: score_curve([[2.0]]), "range"),
        (lambda: learning([[0.1, np.nan]]), "every round"),
        (lambda: learning([[0.1]]), "at least 2 rounds"),
        (lambda: learning([[0.1, 0.2]], window=2), "window .* not 2"),
        (lambda: forgetting([[[0.1]]], [0]), "before the last"),
        (lambda: forgetting([[0.1]], [0]), "shape"),
        (lambda: forgetting([[[np.nan], [0.1]]], [0]), "needs every"),
    ],
)
def test_bad_input_is_named(call, text):
    with pytest.raises(ValueError, match=text):
        call()


@pytest.mark.slow
@pytest.mark.parametrize(("streams", "least"), [(12, 0.9), (30, 0.93)])
def test_the_band_covers_the_whole_curve(streams, least):
    rng = generator("band", streams)
    whole, points = [], []
    for i in range(500):
        r = score_curve(0.5 + 0.02 * ar(rng, streams), draws=1000, seed=i)
        whole.append(bool(((r.band_low <= 0.5) & (r.band_high >= 0.5)).all()))
        points.append(bool(((r.low <= 0.5) & (r.high >= 0.5)).all()))
    assert np.mean(whole) >= least
    assert np.mean(points) < 0.85  # pointwise bands are no statement on the whole curve
