import numpy as np
import pytest

from finchmark.suite.seeds import generator
from finchmark.suite.stats.change import mean_change
from finchmark.suite.stats.signature import signature


def test_the_signature_needs_both_halves():
    rng = generator("signature")
    flat = rng.normal(0.5, 0.05, (4, 10, 6))
    up = flat[0] + np.linspace(0, 0.4, 6)
    down = flat[1] - np.linspace(0, 0.4, 6)
    both = signature(up, down, flat[2], flat[3])
    assert both.present
    assert both.p_value == max(both.capability.p_value, both.safety.p_value)
    assert not signature(up, flat[1], flat[2], flat[3]).present
    assert not signature(flat[0], down, flat[2], flat[3]).present
    assert not signature(up, up, flat[2], flat[3]).present
    assert signature(up, down).present


def test_few_streams_describe_one_state_only():
    rng = generator("few")
    up = rng.normal(0.5, 0.001, (5, 6)) + np.linspace(0, 0.4, 6)
    r = signature(up, -up, up[:, ::-1], -up[:, ::-1])
    assert r.p_value < 0.01
    assert r.capability.one_state
    assert not r.present


def test_the_halves_are_one_sided_mean_changes():
    x = generator("halves").normal(size=(4, 8, 6))
    r = signature(*x)
    assert r.capability == mean_change(x[0], x[2], alternative="greater", confidence=0.9)
    assert r.safety == mean_change(x[1], x[3], alternative="less", confidence=0.9)


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: signature([[1, 2]], [[1, 2]], [[1, 2]]), "neither"),
        (lambda: signature([[1, 2]], [[1, 2]] * 2), "same streams"),
        (lambda: signature([[1, 2]], [[1, 2]], alpha=0), "alpha"),
    ],
)
def test_bad_input_is_named(call, text):
    with pytest.raises(ValueError, match=text):
        call()
