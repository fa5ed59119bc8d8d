import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finchmark.leaderboard.scale import WIDTH, Scale, metric_scale
from finchmark.suite.records import Metric


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.5, "0.500"), (-0.25, "−0.250"), (-0.0001, "0.000"), (None, "–"), (math.nan, "–"), (1234.5, "1,234.500")],
)
def test_numbers_have_a_true_minus_and_no_minus_zero(value, text):
    assert Scale(0, 1, 3).write(value) == text


def test_a_signed_scale_writes_its_plus_but_none_before_nothing():
    scale = Scale(-1, 1, 2, signed=True)
    assert (scale.write(0.5), scale.write(-0.5), scale.write(0.001)) == ("+0.50", "−0.50", "0.00")


def test_an_interval_without_an_end_is_not_written():
    assert Scale(0, 1, 3).span(math.nan, 0.5) == ""
    assert Scale(0, 1, 3).span(0.25, 0.5) == "0.250 to 0.500"


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_whatever_the_number_it_is_drawn_inside(value):
    place = Scale(-2, 3, 3).place(value)
    assert 0 < place < WIDTH


def test_a_scale_without_width_draws_nothing():
    assert Scale(1, 1, 3).bar(1, 0, 2) is None


def test_a_bar_without_an_interval_is_a_dot():
    bar = Scale(0, 1, 3).bar(0.5, math.nan, 0.9)
    assert (bar.low, bar.high, bar.dot) == (None, None, 60)


def test_digits_follow_the_range():
    assert [metric_scale(Metric(name="m", summary="", high=high), []).decimals for high in (1, 10, 500, 5000)] == [
        3,
        2,
        1,
        0,
    ]


def test_an_open_end_is_drawn_where_the_numbers_end():
    scale = metric_scale(Metric(name="m", summary="", low=None, high=None), [-3.0, 7.0, math.nan, None])
    assert (scale.low, scale.high) == (-3.0, 7.0)
