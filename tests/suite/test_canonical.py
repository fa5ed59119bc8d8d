from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finchmark.suite.canonical import canonical_json, content_hash

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(PLAIN)
def test_canonical_json_reads_back_to_itself(value):
    text = canonical_json(value)
    assert canonical_json(json.loads(text)) == text


@given(st.dictionaries(st.text(), st.integers(), min_size=2))
def test_the_order_of_keys_does_not_matter(value):
    assert content_hash(dict(reversed(value.items()))) == content_hash(value)


def test_floats_are_rounded_to_six_decimals():
    assert content_hash([0.1 + 0.2]) == content_hash([0.3])
    assert content_hash([0.300001]) != content_hash([0.3])


def test_minus_zero_is_zero():
    assert canonical_json(-0.0) == canonical_json(0.0)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), [-float("inf")]])
def test_numbers_that_are_not_finite_are_refused(value):
    with pytest.raises(ValueError, match="finite"):
        canonical_json(value)


@pytest.mark.parametrize("value", [{1: 2}, {1, 2}, object(), b"x"])
def test_data_that_is_not_plain_is_refused(value):
    with pytest.raises(TypeError):
        canonical_json(value)
