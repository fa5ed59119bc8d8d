"""What a manifest says of each call that worked on a run: counts that add up, also over calls that were killed."""

from __future__ import annotations

import asyncio
import json
import logging
import math
import multiprocessing
import os
import signal
import time
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finchmark.reports.terminal import run_text
from finchmark.suite import session as session_module
from finchmark.suite.backends.base import Backend, Capabilities, Completion
from finchmark.suite.errors import BackendUnavailable, StoreError
from finchmark.suite.evaluation import evaluate
from finchmark.suite.session import backend_counts, total_counts
from finchmark.suite.store import RunWriter, StoredRun, read_manifest

FORK = multiprocessing.get_context("fork")
RUN = {"tasks": "odyssey/lights", "tier": "gate", "limit": 6, "samples": 1, "arms": ["with-rules"], "concurrency": 2}


class Counting(Backend):
    """Counts its requests, also in a file; after some it answers no more."""

    name, model = "counting", "c-1"
    capabilities = Capabilities(scheduling="own", concurrency=2)

    def __init__(self, log: Path | None = None, *, hang_after: float = math.inf, dead: bool = False) -> None:
        self.log, self.hang_after, self.dead = log, hang_after, dead
        self.counts: Counter[str] = Counter()

    def identity(self):
        return {"name": "counting", "weights": "abc"}

    def describe(self):
        return {"url": "somewhere", "counts": dict(self.counts)}

    async def start(self):
        if self.dead:
            self.counts["refused"] += 1
            raise BackendUnavailable("nobody is there")

    async def generate(self, request):
        self.counts["requests"] += 1
        number = self.counts["requests"]
        if self.log is not None:
            with self.log.open("a") as file:
                file.write(".")
            await asyncio.sleep(0.02)  # so that one look at the counts is not enough
        if number > self.hang_after:
            await asyncio.sleep(600)
        if number % 3 == 0:
            self.counts["retries"] += 1
        return Completion("<action>0</action>", finish_reason="stop")


def play(out: Path, backend: Counting, **changes) -> StoredRun:
    options = {**RUN, **changes}
    return evaluate(options.pop("tasks"), backend, out=out, **options)


def lines(out: Path) -> list[tuple[bool, dict[str, float]]]:
    return [(line["ended"], line["counts"]) for line in read_manifest(out).sessions]


def test_one_calls_counts_are_those_of_its_backend(tmp_path):
    backend = Counting()
    manifest = play(tmp_path / "r", backend).manifest
    assert lines(tmp_path / "r") == [(True, dict(backend.counts))]
    assert manifest.backend_counts == dict(backend.counts)


def test_a_call_that_asks_nothing_adds_nothing(tmp_path):
    backend = Counting()
    play(tmp_path / "r", backend)
    manifest = play(tmp_path / "r", Counting()).manifest
    assert lines(tmp_path / "r") == [(True, dict(backend.counts)), (True, {})]
    assert manifest.backend_counts == dict(backend.counts)


def test_a_backend_that_cannot_start_is_listed_with_its_counts(tmp_path):
    with pytest.raises(BackendUnavailable):
        play(tmp_path / "r", Counting(dead=True))
    backend = Counting()
    play(tmp_path / "r", backend)
    assert lines(tmp_path / "r") == [(True, {"refused": 1}), (True, dict(backend.counts))]
    assert read_manifest(tmp_path / "r").backend_counts == dict(sorted({"refused": 1, **backend.counts}.items()))


def _hang(out: Path, log: Path, after: int) -> None:
    play(out, Counting(log, hang_after=after))


def _until(condition, *, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.01)


def test_counts_outlive_kills_and_add_up(tmp_path, monkeypatch):
    """Two calls are killed while no sample can end; the third ends the run. Not one request is missing in the total."""
    monkeypatch.setattr(session_module, "SAVED_EVERY", 0.02)
    out, log = tmp_path / "r", tmp_path / "log"
    log.touch()
    sent = [0]
    for number, after in enumerate((7, 16)):
        process = FORK.Process(target=_hang, args=(out, log, after), daemon=True)
        process.start()
        # Both open episodes hang in the end: two requests more than were answered.
        expected = sent[-1] + after + 2
        _until(lambda e=expected: log.stat().st_size == e)
        _until(lambda n=number, a=after: len(lines(out)) == n + 1 and lines(out)[n][1].get("requests") == a + 2)
        os.kill(process.pid, signal.SIGKILL)
        process.join()
        sent.append(expected)
        assert lines(out)[number][0] is False
    before = lines(out)
    assert read_manifest(out).backend_counts["requests"] == sent[-1]

    run = play(out, Counting(log))
    assert run.manifest.complete
    assert lines(out)[:2] == before
    assert [ended for ended, _ in lines(out)] == [False, False, True]
    assert run.manifest.backend_counts["requests"] == log.stat().st_size
    assert run.manifest.backend_counts["retries"] == sum(counts.get("retries", 0) for _, counts in lines(out))


def test_a_call_is_listed_from_its_first_moment_on(tmp_path):
    log = tmp_path / "log"
    process = FORK.Process(target=_hang, args=(tmp_path / "r", log, 0), daemon=True)
    process.start()
    _until(log.exists)
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    assert [ended for ended, _ in lines(tmp_path / "r")] == [False]


def test_the_manifest_is_left_alone_while_nothing_is_counted(tmp_path, monkeypatch):
    monkeypatch.setattr(session_module, "SAVED_EVERY", 0.001)
    written = []
    update = RunWriter.update
    monkeypatch.setattr(RunWriter, "update", lambda self, **f: (written.append(f), update(self, **f))[1])
    evaluate("odyssey/lights", "scripted:random", samples=20, out=tmp_path / "r")
    assert len(written) == 2  # the first moment and the last


def test_counts_that_cannot_be_saved_do_not_stop_the_run(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(session_module, "SAVED_EVERY", 0.001)
    update = RunWriter.update

    def full(self, **fields):
        if "counts" not in fields and fields["backend_counts"]:
            raise StoreError("the disk is full")
        return update(self, **fields)

    monkeypatch.setattr(RunWriter, "update", full)

    class Slow(Counting):
        async def generate(self, request):
            await asyncio.sleep(0.005)
            return await super().generate(request)

    with caplog.at_level(logging.WARNING):
        run = play(tmp_path / "r", Slow())
    assert run.manifest.complete
    assert "counts so far cannot be saved" in caplog.text


def test_a_manifest_without_counts_is_read_and_gone_on_with(tmp_path):
    """As versions before wrote it."""
    play(tmp_path / "r", Counting())
    file = tmp_path / "r" / "manifest.json"
    raw = json.loads(file.read_text())
    del raw["backend_counts"]
    for line in raw["sessions"]:
        del line["counts"], line["ended"]
    file.write_text(json.dumps(raw))
    assert StoredRun(tmp_path / "r").manifest.backend_counts == {}
    run = play(tmp_path / "r", Counting())
    assert run.manifest.backend_counts == {}
    assert len(run.manifest.sessions) == 2


def test_show_says_what_was_counted_and_over_how_many_calls(tmp_path):
    play(tmp_path / "r", Counting())
    assert "\ncounted    requests" in run_text(StoredRun(tmp_path / "r"))
    run = play(tmp_path / "r", Counting())
    assert "over 2 calls" in run_text(run)


def test_nothing_counted_is_not_shown(tmp_path):
    run = evaluate("odyssey/lights", "scripted:random", samples=1, out=tmp_path / "r")
    assert "\ncounted " not in run_text(run)


@pytest.mark.parametrize(
    ("described", "counts"),
    [
        ({}, {}),
        ({"counts": {"b": 2, "a": 0.5}}, {"a": 0.5, "b": 2}),
        ({"counts": {"deaths": {"SIGKILL": 2}}}, {"deaths.SIGKILL": 2}),
        ({"counts": {"a": True, "b": "3", "c": None, "d": math.inf, "e": math.nan, "f": -1, "g": [1]}}, {}),
        ({"counts": 3}, {}),
        ({"counts": None, "retries": 7}, {}),
    ],
)
def test_only_numbers_that_add_up_are_read(described, counts):
    assert backend_counts(described) == counts
    assert list(backend_counts(described)) == list(counts)


@given(st.lists(st.dictionaries(st.sampled_from("abc"), st.integers(0, 2**40)), max_size=5))
def test_totals_are_the_sums(sessions):
    expected: Counter[str] = Counter()
    for counts in sessions:
        expected.update(counts)
    assert total_counts([{"counts": counts} for counts in sessions]) == {
        name: expected[name] for name in sorted({name for counts in sessions for name in counts})
    }
