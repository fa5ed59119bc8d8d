"""Values across the line: what is plain data arrives equal and of the same kind, and nothing that arrives runs."""

import collections
import datetime
import decimal
import fractions
from string import ascii_lowercase

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from finchmark.suite.sandbox.inside.control import Nothing, decoys
from finchmark.suite.sandbox.inside.values import Codec, Unreadable, dumps, loads, merge
from finchmark.suite.seeds import generator


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


RIGHT = {
    "whole numbers": (lambda rng: int(rng.integers(-500, 500)), float),
    "numbers": (lambda rng: int(rng.integers(1000, 9999)) / 100, float),
    "texts": (lambda rng: "".join(rng.choice(list(ascii_lowercase), 5)), lambda text: [ord(sign) for sign in text]),
    "bytes": (lambda rng: bytes(rng.integers(97, 123, 5).tolist()), list),
    "lists": (lambda rng: rng.integers(100, 900, 4).tolist(), list),
    "mappings": (
        lambda rng: dict(zip("abc", rng.integers(100, 900, 3).tolist(), strict=True)),
        lambda value: list(value.values()),
    ),
    "sets": (lambda rng: set(rng.integers(100, 900, 3).tolist()), sorted),
    "truth values": (lambda rng: bool(rng.random() < 0.5), int),
}
"""What is expected, drawn, and an order of such values that somebody who knows the control may look at."""


@pytest.mark.parametrize("kind", RIGHT)
def test_who_knows_the_control_and_not_the_value_finds_it_by_luck_only(kind):
    """One in four; one in two among truth values. 6 standard errors of 2,000 trials are .06."""
    draw, order = RIGHT[kind]
    rng = generator("decoys", kind)
    trials, few = 2000, 2 if kind == "truth values" else 4
    hits = dict.fromkeys(("first", "second", "last", "nearest to all", "met first above two"), 0)
    for _ in range(trials):
        right = draw(rng)
        shown = [right, *decoys("__eq__", right)]
        assert len(shown) == few
        shown = [shown[k] for k in rng.permutation(few)]
        ranked = sorted(shown, key=order)
        apart = {id(one): sum(_apart(one, other) for other in shown) for one in shown}
        picks = {
            "first": ranked[0],
            "second": ranked[1],
            "last": ranked[-1],
            "nearest to all": min(shown, key=lambda one: apart[id(one)]),
            "met first above two": next((one for one in shown[1:] if order(one) > order(shown[0])), shown[-1]),
        }
        for name, pick in picks.items():
            hits[name] += pick is right
    for name, number in hits.items():
        assert abs(number / trials - 1 / few) < 0.06, (name, number / trials)


def _apart(one, other):
    """In how many parts two values differ, or by how much."""
    if isinstance(one, (int, float)):
        return abs(one - other)
    if isinstance(one, set):
        return len(one ^ other)
    if isinstance(one, dict):
        return sum(one[key] != other[key] for key in one)
    return sum(a != b for a, b in zip(one, other, strict=True))


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
