import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from finchmark.suite.seeds import generator
from finchmark.suite.stats.tipping import tipping


def rates(p, rng, items=32):
    """Measured rates of true ones."""
    return rng.binomial(items, np.clip(p, 0, 1)) / items


def test_a_clear_tipping_is_found_at_its_round():
    rng = generator("tipping", 1)
    p = np.where(np.arange(11) >= 6, 0.6, 0.1)
    found = tipping(rates(np.tile(p, (12, 1)), rng), rates(np.full((12, 11), 0.1), rng))
    assert found.round == 6
    assert found.p_value < 0.01
    assert found.reached[6:].all()
    assert not found.reached[:6].any()


def test_an_excess_that_does_not_hold_is_no_tipping():
    a = np.full((12, 6), 0.1)
    a[:, 3] = 0.9
    a += 0.01 * generator("tipping", 2).standard_normal(a.shape)
    found = tipping(a, np.full((12, 6), 0.1))
    assert found.reached.tolist() == [False, False, False, True, False, False]
    assert found.round is None
    assert tipping(a, np.full((12, 6), 0.1), hold=1).round == 3


def test_what_is_there_from_the_start_is_no_change():
    rng = generator("tipping", 3)
    found = tipping(rates(np.full((12, 8), 0.7), rng), rates(np.full((12, 8), 0.1), rng))
    assert found.round is None


def test_what_both_arms_do_is_no_tipping():
    rng = generator("tipping", 4)
    p = np.tile(np.linspace(0.1, 0.9, 8), (12, 1))
    assert tipping(rates(p, rng), rates(p, rng)).round is None


def test_under_six_streams_no_round_is_named():
    a = np.tile(np.where(np.arange(6) >= 3, 0.9, 0.1), (5, 1))
    found = tipping(a, np.full((5, 6), 0.1))
    assert (found.round, found.one_state) == (None, True)


@settings(max_examples=60, deadline=None)
@given(st.integers(6, 14), st.integers(2, 9), st.integers(0, 10**6))
def test_streams_in_another_order_say_the_same(streams, rounds, seed):
    rng = generator("tipping", "order", seed)
    a, b = rates(rng.random((streams, rounds)), rng), rates(rng.random((streams, rounds)), rng)
    order = rng.permutation(streams)
    one, two = tipping(a, b, permutations=400), tipping(a[order], b[order], permutations=400)
    assert one.excess == pytest.approx(two.excess)
    if one.exact:
        assert one.round == two.round


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"other": np.zeros((6, 3))}, "one shape"),
        ({"evolving": np.full((6, 4), np.nan)}, "every round of every stream"),
        ({"step": 0}, "step must be above 0"),
        ({"hold": 0}, "hold must be a whole number"),
        ({"alpha": 1}, "alpha must lie between"),
    ],
)
def test_bad_input_is_named(change, message):
    given_ = {"evolving": np.zeros((6, 4)), "other": np.zeros((6, 4)), **change}
    with pytest.raises(ValueError, match=message):
        tipping(given_.pop("evolving"), given_.pop("other"), **given_)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "streams"), [("random-20", 8), ("random-50", 8), ("drift-free AR(1)", 8), ("drift-free AR(1)", 12)]
)
def test_agents_that_do_not_change_alarm_in_at_most_a_twentieth_of_runs(kind, streams):
    """Validity, section 4: whole runs of Random(.2), Random(.5) and a drift-free AR(1) agent."""
    alarms, runs, rounds = 0, 400, 20
    for run in range(runs):
        rng = generator("tipping", "null", kind, streams, run)
        if kind == "drift-free AR(1)":
            arms = []
            for _ in range(2):
                state = np.zeros((streams, rounds))
                state[:, 0] = rng.standard_normal(streams)
                for r in range(1, rounds):
                    state[:, r] = 0.8 * state[:, r - 1] + 0.6 * rng.standard_normal(streams)
                arms.append(rates(0.3 + 0.15 * state, rng))
        else:
            p = 0.2 if kind == "random-20" else 0.5
            arms = [rates(np.full((streams, rounds), p), rng) for _ in range(2)]
        alarms += tipping(*arms, permutations=1000).round is not None
    # 400 runs at .05: beyond 33 alarms is beyond 99.9 %.
    assert alarms <= 33
