"""Pauses, bounds, the circuit and the purse, each alone."""

from __future__ import annotations

import asyncio
import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finchmark.suite.backends.circuit import Circuit
from finchmark.suite.backends.limiter import Limiter
from finchmark.suite.backends.prices import Price, Purse, read_prices
from finchmark.suite.backends.retry import Patience, backoff, retry_after
from finchmark.suite.errors import BackendError, RunStopped, UsageError

NOW = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)


@given(st.integers(0, 2000), st.integers(0, 2**63 - 1))
def test_a_pause_is_within_its_bounds_and_the_same_again(attempt, seed):
    patience = Patience(first=0.5, longest=60)
    pause = backoff(attempt, patience, seed)
    assert 0 <= pause < min(60, 0.5 * 2 ** min(attempt, 20))
    assert pause == backoff(attempt, patience, seed)


def test_pauses_spread_over_the_whole_range():
    pauses = [backoff(3, Patience(first=1.0), seed) for seed in range(2000)]
    assert 3.8 < sum(pauses) / 2000 < 4.2
    assert min(pauses) < 0.1
    assert max(pauses) > 7.9


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("7", 7.0),
        ("0.5", 0.5),
        ("-3", 0.0),
        ("Thu, 01 Jan 2026 00:01:00 GMT", 60.0),
        ("Wed, 31 Dec 2025 23:00:00 GMT", 0.0),
        ("soon", None),
        ("nan", None),
        ("inf", None),
        ("", None),
        (None, None),
    ],
)
def test_retry_after_is_seconds_or_a_date(value, seconds):
    assert retry_after(value, NOW) == seconds


@given(st.text(max_size=40))
def test_retry_after_bears_any_text(text):
    found = retry_after(text, NOW)
    assert found is None or found >= 0


def test_the_bound_is_halved_once_for_all_that_were_under_way():
    limiter = Limiter(64)
    for begun in (1.0, 1.1, 1.2):
        limiter.complained(begun, 2.0)
    assert limiter.limit == 32
    limiter.complained(2.5, 3.0)
    assert limiter.limit == 16


def test_the_bound_never_falls_below_one_and_comes_back():
    limiter = Limiter(8)
    for second in range(20):
        limiter.complained(second, second)
    assert limiter.limit == 1
    for _ in range(200):
        limiter.succeeded()
    assert limiter.limit == 8


@given(st.integers(1, 6), st.lists(st.booleans(), max_size=30))
def test_the_bound_holds_and_nobody_is_forgotten_whoever_is_cancelled(most, cancelled):
    async def go():
        limiter = Limiter(most)
        highest = 0

        async def work():
            nonlocal highest
            await limiter.acquire()
            highest = max(highest, limiter.in_flight)
            try:
                await asyncio.sleep(0)
            finally:
                limiter.release()

        tasks = [asyncio.create_task(work()) for _ in cancelled]
        await asyncio.sleep(0)
        for task, cancel in zip(tasks, cancelled, strict=True):
            if cancel:
                task.cancel()
        await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), 5)
        assert limiter.in_flight == 0
        assert highest <= most

    asyncio.run(go())


def test_the_circuit_opens_after_failures_in_a_row_only():
    async def go():
        circuit = Circuit(threshold=3)
        for _ in range(5):
            circuit.failed("x", probe=False)
            circuit.failed("x", probe=False)
            circuit.succeeded()
        assert not circuit.is_open
        for _ in range(3):
            circuit.failed("HTTP 503: full", probe=False)
        assert circuit.is_open
        assert "HTTP 503: full" in circuit.notice()
        circuit.close()

    asyncio.run(go())


def test_one_request_at_a_time_tries_and_its_success_frees_all():
    async def go():
        circuit = Circuit(threshold=1, probe_every=0.02)
        circuit.failed("x", probe=False)
        entering = [asyncio.create_task(circuit.enter()) for _ in range(5)]
        await asyncio.sleep(0.1)
        assert [t.result() for t in entering if t.done()] == [True]
        circuit.failed("y", probe=True)
        await asyncio.sleep(0.1)
        assert [t.result() for t in entering if t.done()] == [True, True]
        circuit.succeeded()
        assert sorted(await asyncio.gather(*entering)) == [False, False, False, True, True]
        assert await circuit.enter() is False

    asyncio.run(asyncio.wait_for(go(), 5))


def test_when_the_one_that_tries_is_cancelled_another_does():
    async def go():
        circuit = Circuit(threshold=1, probe_every=0.02)
        circuit.failed("x", probe=False)
        first, second = (asyncio.create_task(circuit.enter()) for _ in range(2))
        await asyncio.sleep(0.05)
        assert first.done()
        circuit.left()
        assert await asyncio.wait_for(second, 1) is True

    asyncio.run(go())


def test_after_giving_up_everybody_fails_at_once_but_for_those_that_try():
    async def go():
        circuit = Circuit(threshold=1, probe_every=0.02, give_up=0.1)
        circuit.failed("x", probe=False)
        entering = [asyncio.create_task(circuit.enter()) for _ in range(3)]
        await asyncio.sleep(0.2)
        results = await asyncio.gather(*entering, return_exceptions=True)
        assert results[0] is True
        assert all(isinstance(r, BackendError) for r in results[1:])
        with pytest.raises(BackendError, match="given up"):
            await circuit.enter()
        circuit.failed("x", probe=True)
        await asyncio.sleep(0.1)
        assert await circuit.enter() is True
        circuit.succeeded()
        assert not circuit.is_open

    asyncio.run(asyncio.wait_for(go(), 5))


def test_prices_come_from_a_table_json_or_a_file(tmp_path):
    file = tmp_path / "prices.toml"
    file.write_text('["lab/m-1"]\ninput = 2\noutput = 8\ncached = 0.5\n')
    expected = Price(2.0, 8.0, 0.5)
    assert read_prices(file, "lab/m-1") == expected
    assert read_prices('{"input": 2, "output": 8, "cached": 0.5}', "m") == expected
    assert expected.cost(1_000_000, 500_000, 1_000_000) == pytest.approx(1 + 0.25 + 8)


@pytest.mark.parametrize(
    "given", ['{"input": -1, "output": 2}', "{", '{"input": 1}', "/nowhere.toml", '{"input": true, "output": 1}']
)
def test_prices_that_cannot_be_are_refused(given):
    with pytest.raises(UsageError):
        read_prices(given, "m")


def test_a_model_that_the_price_table_lacks_is_named(tmp_path):
    file = tmp_path / "prices.toml"
    file.write_text("[a]\ninput = 2\noutput = 8\n")
    with pytest.raises(UsageError, match=r"'b'.*it has: a"):
        read_prices(file, "b")


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), max_size=40), st.floats(0, 5))
def test_a_purse_is_never_overdrawn(requests, most):
    async def go():
        purse = Purse(most)

        async def spend(bound, share):
            await purse.reserve(bound)
            await asyncio.sleep(0)
            purse.settle(bound, bound * share)

        results = await asyncio.wait_for(
            asyncio.gather(*(spend(b, s) for b, s in requests), return_exceptions=True), 10
        )
        assert purse.spent <= most * (1 + 1e-12)
        assert all(r is None or isinstance(r, RunStopped) for r in results)

    asyncio.run(go())
