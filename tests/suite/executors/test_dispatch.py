"""Which worker plays what, and what becomes of the samples of a lost one."""

from __future__ import annotations

import asyncio

import pytest

from finchmark.suite.executors.dispatch import COMPANY, LOSSES, Dispatch, Job, Seat
from finchmark.suite.executors.ticket import Course, Ticket
from finchmark.suite.records import Key


@pytest.fixture
def make_job():
    loop = asyncio.new_event_loop()
    numbers = iter(range(10**6))

    def make(item="a", sample=0, stream=""):
        course = Course(None, (), "", None) if stream else None
        ticket = Ticket(next(numbers), Key("t", "arm", item, sample, stream), 0, 1, course)
        return Job(ticket, None, loop.create_future())

    yield make
    loop.close()


def crew(*places):
    dispatch = Dispatch()
    seats = [Seat(n) for n in range(len(places))]
    for seat, count in zip(seats, places, strict=True):
        dispatch.open(seat, count)
    return dispatch, seats


def items(seat):
    return [job.ticket.key.item for job in seat.aboard.values()]


def test_samples_go_where_there_is_most_room_and_wait_where_there_is_none(make_job):
    dispatch, (one, two) = crew(1, 2)
    for item in "abcd":
        dispatch.add(make_job(item))
    assert (items(one), items(two)) == (["a"], ["b", "c"])
    (number,) = one.aboard
    dispatch.finished(one, number)
    assert items(one) == ["d"]
    assert not dispatch.waiting


def test_samples_of_one_item_go_to_one_worker_while_it_has_room(make_job):
    dispatch, (one, two) = crew(3, 3)
    for sample in range(4):
        dispatch.add(make_job("a", sample))
    assert (len(one.aboard), len(two.aboard)) == (3, 1)


def test_a_life_waits_for_its_own_worker(make_job):
    dispatch, (one, two) = crew(1, 1)
    dispatch.add(make_job("a", stream="s"))
    dispatch.add(make_job("b", stream="s"))
    assert (items(one), items(two)) == (["a"], [])
    dispatch.finished(one, next(iter(one.aboard)))
    assert (items(one), items(two)) == (["b"], [])


def test_a_life_moves_when_its_worker_is_lost(make_job):
    dispatch, (one, two) = crew(2, 2)
    dispatch.add(make_job("a", stream="s"))
    dispatch.take(one)
    assert dispatch.lost(one) == []
    dispatch.add(make_job("b", stream="s"))
    assert items(two) == ["a", "b"]


def test_what_was_aboard_goes_before_what_waits_and_in_its_order(make_job):
    dispatch, (one,) = crew(3)
    for item in "abcdef":
        dispatch.add(make_job(item))
    dispatch.take(one)
    dispatch.lost(one)
    dispatch.open(one, 6)
    assert items(one) == list("abcdef")


def test_what_a_worker_was_never_told_of_is_not_blamed(make_job):
    dispatch, (one,) = crew(2)
    told, untold = make_job("a"), make_job("b")
    dispatch.add(told)
    dispatch.take(one)
    dispatch.add(untold)
    dispatch.lost(one)
    assert (told.losses, untold.losses) == (1, 0)


def test_a_sample_that_was_aboard_two_lost_workers_is_alone_and_then_given_up(make_job):
    dispatch, (one,) = crew(4)
    jobs = [make_job(item) for item in "ab"]
    for job in jobs:
        dispatch.add(job)
    for _ in range(COMPANY):
        assert items(one) == ["a", "b"]
        dispatch.take(one)
        assert dispatch.lost(one) == []
        dispatch.open(one, 4)
    assert items(one) == ["a"]
    dispatch.add(make_job("c"))
    for _ in range(LOSSES - COMPANY - 1):
        dispatch.take(one)
        assert dispatch.lost(one) == []
        dispatch.open(one, 4)
    assert items(one) == ["a"]
    dispatch.take(one)
    assert dispatch.lost(one) == [jobs[0]]
    dispatch.open(one, 4)
    assert items(one) == ["b"]
    dispatch.finished(one, jobs[1].ticket.number)
    assert items(one) == ["c"]


def test_a_worker_that_leaves_for_reasons_of_its_own_blames_nothing(make_job):
    dispatch, (one,) = crew(1)
    job = make_job()
    dispatch.add(job)
    dispatch.take(one)
    dispatch.lost(one, blame=False)
    assert job.losses == 0
    assert list(dispatch.waiting) == [job]


def test_a_suspect_waits_until_a_busy_worker_is_empty(make_job):
    dispatch, (one,) = crew(2)
    busy, suspect, other = make_job("a"), make_job("b"), make_job("c")
    suspect.losses = COMPANY
    for job in (busy, suspect, other):
        dispatch.add(job)
    assert items(one) == ["a"]
    dispatch.finished(one, busy.ticket.number)
    assert items(one) == ["b"]
    dispatch.finished(one, suspect.ticket.number)
    assert items(one) == ["c"]


def test_what_nobody_waits_for_does_not_begin(make_job):
    dispatch, (one,) = crew(1)
    first, second = make_job("a"), make_job("b")
    dispatch.add(first)
    dispatch.add(second)
    dispatch.forget(second)
    dispatch.forget(first)
    assert dispatch.take(one) == []
    assert not one.aboard
    assert not dispatch.waiting
