"""Where sessions go: together with their kin where that costs nothing, else where there is room."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finchmark.suite.backends.seating import Seating


def wave(items: int, samples: int) -> list[tuple[str, int]]:
    return [(f"{i}/{s}", i) for i in range(items) for s in range(samples)]


def test_a_session_stays():
    seats = Seating()
    seats.seat([("a", 1)], [0, 1])
    first = seats.at("a")
    for k in range(9):
        seats.seat([(f"b{k}", k), ("a", 1)], [0, 1])
    assert seats.at("a") == first


def test_one_who_was_never_seated_is_nowhere():
    assert Seating().at("a") is None


def test_a_wave_of_whole_kin_is_shared_out_evenly_and_no_kin_is_parted():
    seats = Seating()
    seats.seat(wave(8, 4), [0, 1])
    assert seats.load(0) == seats.load(1) == 16
    for i in range(8):
        assert len({seats.at(f"{i}/{s}") for s in range(4)}) == 1


@pytest.mark.parametrize("slack", [0, 2, 4])
def test_kin_larger_than_a_share_is_parted_to_within_the_slack(slack):
    seats = Seating(slack)
    seats.seat(wave(1, 10), [0, 1])
    assert seats.load(0) + seats.load(1) == 10
    assert abs(seats.load(0) - seats.load(1)) <= slack


def test_strangers_are_shared_out_evenly():
    seats = Seating()
    seats.seat([(f"s{k}", k) for k in range(9)], [0, 1, 2])
    assert [seats.load(w) for w in range(3)] == [3, 3, 3]


def test_a_latecomer_follows_its_kin_by_a_little_and_no_more():
    seats = Seating(slack=2)
    seats.seat([("a", "kin"), ("b", "other")], [0, 1])
    home = seats.at("a")
    for k in range(6):
        seats.seat([(f"a{k}", "kin")], [0, 1])
    assert home is not None
    assert seats.load(home) - seats.load(1 - home) in (1, 2)


def test_among_many_kin_may_draw_more():
    seats = Seating(slack=2)
    seats.seat([(f"s{k}", k) for k in range(80)], [0, 1])
    home = seats.at("s0")
    for k in range(20):
        seats.seat([(f"kin{k}", 0)], [0, 1])
    assert home is not None
    assert 3 <= seats.load(home) - seats.load(1 - home) <= 6


def test_kin_that_have_left_draw_nobody():
    seats = Seating()
    seats.seat([("a", "kin")], [0, 1])
    seats.seat([("b", "other")], [0, 1])
    assert (seats.at("a"), seats.at("b")) == (0, 1)
    seats.leave("b")
    seats.leave("a")
    seats.seat([("c", "other")], [0, 1])
    assert seats.at("c") == 0


def test_a_dead_workers_sessions_go_elsewhere():
    seats = Seating()
    seats.seat([(f"s{k}", k) for k in range(4)], [0, 1])
    seats.clear(0)
    assert seats.load(0) == 0
    assert len(seats) == 2
    seats.seat([(f"s{k}", k) for k in range(4)], [1])
    assert {seats.at(f"s{k}") for k in range(4)} == {1}


def test_leaving_twice_counts_once():
    seats = Seating()
    seats.seat([("a", 1), ("b", 1)], [0])
    seats.leave("a")
    seats.leave("a")
    assert seats.load(0) == 1


def test_sessions_that_nobody_releases_are_forgotten_in_the_end():
    seats = Seating()
    seats.seat([(str(k), k) for k in range((1 << 16) + 10)], [0, 1])
    assert len(seats) == 1 << 16
    assert seats.load(0) + seats.load(1) == 1 << 16


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 4), st.booleans()), max_size=120), st.integers(1, 4))
def test_loads_are_the_sessions_that_are_there_and_nearly_even(events, workers):
    """Alone or in company, the spread never exceeds the slack by more than those that left have made it."""
    seats, there, left = Seating(slack=2), set(), 0
    for number, kin, comes in events:
        name = f"s{number}"
        if comes:
            seats.seat([(name, kin)], range(workers))
            there.add(name)
        else:
            left += name in there
            seats.leave(name)
            there.discard(name)
    loads = Counter(seats.at(name) for name in there)
    assert None not in loads
    assert [seats.load(w) for w in range(workers)] == [loads[w] for w in range(workers)]
    values = [loads[w] for w in range(workers)]
    assert max(values) - min(values) <= max(2, min(values) // 8) + left
