"""Values across the line: what is plain data arrives equal and of the same kind, and nothing that arrives runs."""

import collections
import datetime
import decimal
import fractions

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from finchmark.suite.sandbox.inside.control import Nothing, decoys
from finchmark.suite.sandbox.inside.values import Codec, Unreadable, dumps, loads, merge


def refuse(_):
    raise Unreadable("by handle")


CODEC = Codec(refuse, refuse)
HASHABLE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.binary(),
    lambda inner: st.tuples(inner, inner) | st.frozensets(inner, max_size=3),
    max_leaves=6,
)
DATA = st.recursive(
    HASHABLE,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(HASHABLE, inner, max_size=4) | st.tuples(inner),
    max_leaves=12,
)


def crossed(value):
    return CODEC.decode(loads(dumps(CODEC.encode(value))))


@given(DATA)
def test_data_arrives_equal(value):
    assert crossed(value) == value


@pytest.mark.parametrize(
    "value",
    [
        decimal.Decimal("1.10"),
        fractions.Fraction(2, 6),
        datetime.datetime(2024, 1, 2, 3, 4, 5, 6),
        datetime.date(2024, 1, 2),
        datetime.timedelta(1, 2, 3),
        collections.Counter("aab"),
        collections.OrderedDict(b=1, a=2),
        collections.deque([1, 2], 5),
        collections.defaultdict(int, a=1),
        bytearray(b"ab"),
        range(1, 9, 2),
        2 + 3j,
        -(2**200),
        "\ud800",
        True,
    ],
    ids=lambda value: type(value).__name__,
)
def test_kinds_are_kept(value):
    assert crossed(value) == value
    assert type(crossed(value)) is type(value)


def test_arrays_and_their_scalars_are_kept():
    array = np.arange(6, dtype=np.int16).reshape(2, 3).T
    assert np.array_equal(crossed(array), array)
    assert crossed(array).dtype == array.dtype
    assert type(crossed(np.float32(1.5))) is np.float32
    assert crossed(np.array([{1: 2}, None], dtype=object))[0] == {1: 2}


NO_VALUES = [
    ["?", 1],
    ["l"],
    [],
    {"a": 1},
    ["d", [[["l", []], 1]]],
    ["nd", "O", [1], "AAAAAAAAAAA="],
    ["nd", "<i8", [3], "AA=="],
    ["x", "eval", "1"],
    ["k", "exit"],
    ["h", 0, "global", "os", "system"],
]


@pytest.mark.parametrize("data", NO_VALUES)
def test_what_is_no_value_is_unreadable(data):
    with pytest.raises(Unreadable):
        CODEC.decode(data)


def test_a_message_nested_too_deep_is_unreadable():
    with pytest.raises(Unreadable):
        CODEC.decode(loads(b'["l",[' * 100_000 + b"]]" * 100_000))


@given(st.lists(st.integers() | st.lists(st.integers())), st.lists(st.integers() | st.lists(st.integers())))
def test_merging_makes_the_old_list_equal_in_place(old, new):
    kept = list(old)
    assert merge(old, list(new)) is old
    assert old == new
    for before, after in zip(kept, old, strict=False):
        if type(before) is list and type(after) is list:
            assert before is after


@given(DATA)
def test_no_decoy_equals_the_right_value(value):
    for operator in ("__eq__", "__contains__"):
        assert all(decoy != value for decoy in decoys(operator, value))


@given(st.integers(-(10**12), 10**12))
def test_decoys_of_an_order_are_on_its_wrong_side(value):
    assert all(not value < decoy for decoy in decoys("__lt__", value))
    assert all(not value >= decoy for decoy in decoys("__ge__", value))


def test_nothing_equals_nothing():
    nothing = Nothing()
    for other in (nothing, 1, None):
        assert not nothing == other  # noqa: SIM201 - both operators are tested
        assert nothing != other
    with pytest.raises(TypeError):
        _ = nothing < 1
