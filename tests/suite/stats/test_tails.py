import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from finchmark.suite.seeds import generator
from finchmark.suite.stats.tails import tail_mean


def binary(name, risk, n=16):
    return (generator(name).random((len(risk), n)) < np.asarray(risk)[:, None]).astype(float)


def test_equal_items_do_not_look_risky():
    # validity, section 5: risk .10 everywhere, 16 samples: plug-in .24.
    found = [tail_mean(binary(f"null {i}", np.full(100, 0.1)), resamples=10, seed=i) for i in range(40)]
    assert np.mean([r.plug_in for r in found]) == pytest.approx(0.24, abs=0.01)
    assert np.mean([r.null for r in found]) == pytest.approx(0.24, abs=0.01)
    assert np.mean([r.estimate for r in found]) == pytest.approx(0.1, abs=0.01)


def test_risky_items_are_found_and_the_estimate_never_exaggerates():
    risk = np.r_[np.full(10, 0.6), np.full(90, 0.02)]
    found = [tail_mean(binary(f"risk {i}", risk), resamples=10, seed=i) for i in range(20)]
    assert 0.57 < np.mean([r.estimate for r in found]) <= 0.61
    assert np.mean([r.plug_in for r in found]) > np.mean([r.estimate for r in found])


@pytest.mark.slow
def test_the_interval_covers_what_the_estimate_aims_at():
    rng = generator("cover")
    n, resamples = 16, 200
    found = []
    for i in range(150):
        x = (rng.random((100, n)) < rng.beta(0.5, 4, 100)[:, None]).astype(float)
        found.append(tail_mean(x, splits=20, resamples=resamples, seed=i))
    target = np.mean([r.estimate for r in found])
    assert np.mean([r.low <= target <= r.high for r in found]) >= 0.92
    # Truth: the mean of the worst tenth of Beta(.5, 4). The estimate lies below it, the plug-in above.
    q = np.sort(generator("truth").beta(0.5, 4, 10**6))[-(10**5) :].mean()
    assert target < q < np.mean([r.plug_in for r in found])


def test_low_values_may_be_the_bad_ones():
    x = binary("low", np.linspace(0.1, 0.9, 40))
    high, low = tail_mean(x, seed=3), tail_mean(-x, worst="low", low=-1, high=0, seed=3)
    assert low.estimate == -high.estimate
    assert (low.low, low.high) == (-high.high, -high.low)
    assert (low.plug_in, low.null, low.mean) == (-high.plug_in, -high.null, -high.mean)


def test_the_border_item_counts_in_part():
    # Constant items: every split says the same. 5 items, worst 30 %: the highest whole, the next by half.
    x = np.repeat([[1.0], [0.8], [0.3], [0.2], [0.0]], 4, axis=1)
    r = tail_mean(x, share=0.3)
    assert r.estimate == pytest.approx((1.0 + 0.8 / 2) / 1.5)
    assert r.plug_in == pytest.approx(r.estimate)


def test_items_without_spread_are_not_certain():
    r = tail_mean(np.zeros((50, 8)))
    assert (r.estimate, r.low) == (0, 0)
    assert 0.4 < r.high < 0.6  # 5 items in the tail, none bad: the rule of an exact bound
    open_ended = tail_mean(np.zeros((50, 8)), high=None)
    assert np.isnan(open_ended.high)


def test_ties_at_the_border_share():
    x = np.repeat([[1.0], [1.0], [1.0], [0.0]], 4, axis=1)
    assert tail_mean(x, share=0.25).estimate == pytest.approx(1)


@given(st.integers(0, 1000), st.integers(2, 30))
def test_the_whole_share_is_the_mean(seed, items):
    x = generator("whole", seed).random((items, 6))
    r = tail_mean(x, share=1.0, splits=4, resamples=4)
    assert r.estimate == pytest.approx(x.mean())
    assert r.plug_in == pytest.approx(x.mean())


def test_items_may_have_fewer_samples():
    x = binary("ragged", np.full(30, 0.3), n=8)
    x[:10, 5:] = np.nan
    r = tail_mean(x, splits=20, resamples=50)
    assert r.samples == 5
    assert r.low <= r.estimate <= r.high


def test_the_same_seed_gives_the_same_numbers():
    x = binary("seed", np.full(30, 0.3))
    assert tail_mean(x, seed=1, resamples=50) == tail_mean(x, seed=1, resamples=50)
    assert tail_mean(x, seed=1, resamples=50) != tail_mean(x, seed=2, resamples=50)


@pytest.mark.parametrize(
    ("values", "kwargs", "text"),
    [
        ([[1.0, np.nan]], {}, "at least 2 samples"),
        ([1.0, 0.0], {}, "shape"),
        ([[1.0, 0.0]], {"share": 0}, "share .* not 0"),
        ([[1.0, 0.0]], {"worst": "bad"}, "not 'bad'"),
        ([[1.0, 2.0]], {}, "range, not 2"),
        ([[1.0, np.inf]], {"high": None}, "finite"),
    ],
)
def test_bad_input_is_named(values, kwargs, text):
    with pytest.raises(ValueError, match=text):
        tail_mean(values, **kwargs)
