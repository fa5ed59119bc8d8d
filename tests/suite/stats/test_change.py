from itertools import combinations

import numpy as np
import pytest
from scipy import stats

from finchmark.suite.seeds import generator
from finchmark.suite.stats.change import change_point, mean_change, trend
from finchmark.suite.stats.signature import signature


def ar(rng, streams, rounds=20, phi=0.8):
    """Streams of a drift-free state whose rounds correlate, of variance 1 / (1 - phi^2)."""
    x = np.empty((streams, rounds))
    x[:, 0] = rng.normal(0, 1 / np.sqrt(1 - phi**2), streams)
    for t in range(1, rounds):
        x[:, t] = phi * x[:, t - 1] + rng.normal(size=streams)
    return x


def noise(name, streams=8, rounds=10):
    return generator(name).normal(0, 1, (streams, rounds))


def test_a_trend_is_welchs_t_over_slopes_of_streams():
    a, b = noise("a") + 0.1 * np.arange(10), noise("b", streams=7)
    r = trend(a, b)
    slopes = [[stats.linregress(np.arange(10), row).slope for row in arm] for arm in (a, b)]
    theirs = stats.ttest_ind(*slopes, equal_var=False)
    assert (r.low, r.high) == pytest.approx(tuple(theirs.confidence_interval()))
    assert r.estimate == pytest.approx(np.mean(slopes[0]) - np.mean(slopes[1]))
    assert r.p_value >= theirs.pvalue - 1e-12


def test_few_labellings_are_all_gone_through():
    a, b = noise("exact a", 4, 3), noise("exact b", 3, 3)
    r = trend(a, b)
    slopes = [np.polyfit(np.arange(3), row, 1)[0] for row in np.concatenate([a, b])]
    found = []
    for chosen in combinations(range(7), 4):
        rest = [i for i in range(7) if i not in chosen]
        found.append(abs(stats.ttest_ind([slopes[i] for i in chosen], [slopes[i] for i in rest], equal_var=False)[0]))
    assert (r.exact, r.permutations) == (True, 35)
    assert r.p_permuted == pytest.approx(np.mean(np.array(found) >= found[0] - 1e-9))


def test_many_labellings_are_drawn_and_agree_with_all():
    a, b = noise("drawn a") + 0.08 * np.arange(10), noise("drawn b")
    exact = trend(a, b).p_permuted
    more_a, more_b = noise("drawn a", 12), noise("drawn b", 12)
    drawn = trend(more_a, more_b, permutations=999)
    assert not drawn.exact
    assert drawn.permutations == 1000
    assert 0.001 <= drawn.p_permuted <= 1
    assert exact == trend(b, a).p_permuted


def test_paired_streams_flip_signs():
    a, b = noise("paired a", 9) + 0.2 * np.arange(10), noise("paired b", 9)
    r = trend(a, b, paired=True)
    slopes = [[stats.linregress(np.arange(10), row).slope for row in arm] for arm in (a, b)]
    theirs = stats.permutation_test(
        (np.subtract(*slopes),), lambda x, axis: np.mean(x, axis=axis), permutation_type="samples", vectorized=True
    )
    assert (r.exact, r.permutations, r.paired) == (True, 512, True)
    assert r.p_value == pytest.approx(theirs.pvalue)
    confidence = stats.ttest_rel(*slopes).confidence_interval()
    assert (r.low, r.high) == pytest.approx(tuple(confidence))


def test_one_sided_tests_look_one_way():
    a, b = noise("side a") + 0.3 * np.arange(10), noise("side b")
    up, down = (trend(a, b, alternative=side).p_value for side in ("greater", "less"))
    assert up < 0.01
    assert down > 0.9


def test_missing_rounds_leave_the_slope_of_the_rest():
    a, b = np.tile(0.1 * np.arange(10.0), (6, 1)) + 1e-3 * noise("missing", 6), noise("missing b", 6) * 1e-3
    a[:, 3] = np.nan
    assert trend(a, b).estimate == pytest.approx(0.1, abs=0.001)


def test_streams_without_noise_alarm_only_if_they_differ():
    flat, rising = np.full((8, 5), 0.5), np.tile(0.1 * np.arange(5), (8, 1))
    assert trend(flat, flat).p_value == 1
    r = trend(rising, flat)
    assert r.p_value == pytest.approx(2 / 12870)
    assert np.isnan(r.low)
    assert change_point(flat, flat).p_value == 1


def test_a_change_is_of_the_last_rounds_against_the_first():
    a, b = noise("mean a"), noise("mean b")
    r = mean_change(a, b, window=2)
    change = [arm[:, -2:].mean(axis=1) - arm[:, :2].mean(axis=1) for arm in (a, b)]
    assert r.estimate == pytest.approx(change[0].mean() - change[1].mean())


def test_without_another_arm_a_change_is_held_against_0():
    a = noise("alone") * 0.1
    a[:, -1] += 1
    r = mean_change(a)
    assert r.streams == (8, 0)
    assert r.p_value == pytest.approx(2 / 256)
    assert (r.low, r.high) == pytest.approx(tuple(stats.ttest_1samp(a[:, -1] - a[:, 0], 0).confidence_interval()))


def test_the_change_point_is_where_the_arms_part():
    a, b = noise("point a", 12) * 0.1, noise("point b", 12) * 0.1
    a[:, 6:] += 1
    r = change_point(a, b)
    assert (r.after, r.streams) == (5, (12, 12))
    assert r.shift == pytest.approx(1, abs=0.1)
    assert r.low > 0
    assert r.p_value <= 0.01


def test_a_change_in_both_arms_is_none():
    a, b = noise("both a") * 0.3, noise("both b") * 0.3
    a[:, 5:] += 1
    b[:, 5:] += 1
    r = change_point(a, b)
    assert r.p_value > 0.05
    assert r.low < 0 < r.high


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: trend([[1, 2]], [[1, 2, 3]]), "same rounds"),
        (lambda: trend([1, 2], [[1, 2]]), "evolving must have shape"),
        (lambda: trend([[1, 2]], [[1, 2], [2, 3]], paired=True), "as many streams"),
        (lambda: trend([[1, np.nan]], [[1, 2]]), "at least 2 rounds"),
        (lambda: trend([[1, 2]], [[1, 2]], [0]), "points"),
        (lambda: trend([[1, 2]], [[1, 2]], alternative="up"), "alternative"),
        (lambda: trend([[1, np.inf]], [[1, 2]]), "finite"),
        (lambda: mean_change([[1, 2]], window=2), "window"),
        (lambda: mean_change([[1, np.nan]]), "broke off"),
        (lambda: change_point([[1, 2]], [[1, 2]]), "at least 2 streams"),
        (lambda: change_point([[1, np.nan]] * 2, [[1, 2]] * 2), "broke off"),
        (lambda: change_point([[1, 2]] * 2, [[1, 2]] * 2, permutations=0), "permutations"),
    ],
)
def test_bad_input_is_named(call, text):
    with pytest.raises(ValueError, match=text):
        call()


@pytest.mark.slow
def test_permuted_rounds_alarm_without_a_drift():
    # The known defect (validity, section 4): CUSUM with permuted rounds .61, slope .47.
    rng = generator("defect")
    x = ar(rng, 1000)

    def cusum(rows):
        return np.abs(np.cumsum(rows - rows.mean(axis=-1, keepdims=True), axis=-1)).max(axis=-1)

    alarms = [(1 + (cusum(rng.permuted(np.tile(row, (199, 1)), axis=1)) >= cusum(row)).sum()) / 200 for row in x]
    assert np.mean(np.array(alarms) <= 0.05) == pytest.approx(0.61, abs=0.05)
    assert np.mean([stats.linregress(np.arange(20), row).pvalue <= 0.05 for row in x]) == pytest.approx(0.47, abs=0.05)


@pytest.mark.slow
@pytest.mark.parametrize("other", ["of the same kind", "frozen, with little noise"])
def test_permuted_streams_do_not(other):
    rng = generator("no defect", other)
    runs = 250
    alarms = np.zeros(3)
    for i in range(runs):
        a, c = ar(rng, 12), ar(rng, 12)
        b = ar(rng, 12) if other == "of the same kind" else rng.normal(0, 0.2, (12, 20))
        alarms += [
            trend(a, b, permutations=200, seed=i).p_value <= 0.05,
            change_point(a, b, permutations=200, seed=i).p_value <= 0.05,
            signature(a, c, b, b, permutations=100, seed=i).present,
        ]
    # .05, and two standard errors of the simulation.
    assert (alarms / runs <= 0.078).all()
    assert alarms[2] / runs <= 0.02
