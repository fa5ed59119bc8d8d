"""Bounds from likeliest tokens: never above the truth, and the truth where everything is known."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from finchmark.suite.backends.divergence_bound import lower_bound
from finchmark.suite.seeds import generator


def known(probabilities, kept):
    return {int(k): math.log(probabilities[k]) if probabilities[k] else -math.inf for k in kept}


def truth(q, p):
    q, p = np.asarray(q), np.asarray(p)
    middle = (q + p) / 2

    def kl(a, b):
        return float(np.sum(a[a > 0] * np.log(a[a > 0] / b[a > 0])))

    return kl(q, p), (kl(q, middle) + kl(p, middle)) / 2


def likeliest(probabilities, count):
    return np.argsort(-np.asarray(probabilities))[:count]


@given(st.integers(2, 40), st.integers(1, 40), st.integers(0, 10**6), st.sampled_from([0.1, 1.0, 4.0]))
def test_it_is_never_above_the_truth(size, count, seed, spread):
    rng = generator("tests", "bound", seed)
    logits = spread * rng.normal(size=(2, size))
    q, p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    found = lower_bound([known(q, likeliest(q, count))], [known(p, likeliest(p, count))])
    kl, js = truth(q, p)
    assert 0 <= found.kl[0] <= kl + 1e-9
    assert 0 <= found.js[0] <= js + 1e-9
    assert not found.exact


def test_where_all_is_known_it_is_the_truth_up_to_rounding():
    q, p = (0.7, 0.2, 0.1, 0.0), (0.1, 0.3, 0.5, 0.1)
    found = lower_bound([known(q, range(4))], [known(p, range(4))])
    kl, js = truth(q, p)
    assert found.kl[0] == pytest.approx(kl, abs=1e-4)
    assert found.js[0] == pytest.approx(js, abs=1e-4)
    assert found.kl[0] <= kl


def test_the_tail_stands_for_what_is_not_common():
    # Known are 0 and 1 on one side, 0 and 2 on the other: 0 is common, .6 and .2 are left. By hand.
    found = lower_bound([known((0.4, 0.3, 0.3), (0, 1))], [known((0.8, 0.1, 0.1), (0, 2))])
    assert found.kl[0] == pytest.approx(0.4 * math.log(0.5) + 0.6 * math.log(3), abs=4e-4)


def test_what_the_reference_excludes_is_infinite():
    found = lower_bound([known((0.5, 0.5), (0, 1))], [known((1.0, 0.0), (0, 1))])
    assert found.kl == (math.inf,)
    assert found.js[0] <= math.log(2)


def test_rounding_of_sums_makes_nothing_of_nothing():
    off = {0: math.log(0.6), 1: math.log(0.4 + 2e-5)}
    found = lower_bound([off], [{0: math.log(0.6), 1: math.log(0.4)}])
    assert 0 <= found.kl[0] < 3e-5
    assert 0 <= found.js[0] < 3e-5


def test_what_is_no_distribution_is_refused():
    with pytest.raises(ValueError, match="above 1"):
        lower_bound([{0: 0.0, 1: -0.1}], [{0: 0.0, 1: -0.1}])
    with pytest.raises(ValueError, match="not a number"):
        lower_bound([{0: math.nan}], [{0: -1.0}])
    with pytest.raises(ValueError, match="argument 2 is shorter"):
        lower_bound([{0: -1.0}], [])
