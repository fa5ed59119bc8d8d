"""Whole runs with a response cache: what is replayed, what is paid, and what they say of themselves."""

import contextlib
import multiprocessing
import os
import signal
import sqlite3
import time

import pytest

from finchmark.suite import cli
from finchmark.suite.backends.base import Completion
from finchmark.suite.backends.openai import OpenAIBackend
from finchmark.suite.comparison import compare
from finchmark.suite.errors import BackendError, RunStopped, UsageError
from finchmark.suite.evaluation import evaluate, prepare
from finchmark.suite.records import REPLAYED, Usage
from finchmark.suite.results import read_results
from finchmark.suite.seeds import uniform
from finchmark.suite.store import StoredRun

from .answering import Answering
from .faulty_server import FaultyServer

OPTIONS = {"tier": "smoke", "limit": 2, "samples": 2, "max_tokens": 20}
FORK = multiprocessing.get_context("fork")


def play(out, backend, **options):
    return evaluate("odyssey/lights", backend, out=out, **{**OPTIONS, **options})


def exports(run, folder):
    found = []
    for kind in ("csv", "jsonl"):
        run.export(folder / f"export.{kind}", kind)
        found.append((folder / f"export.{kind}").read_bytes())
    return found


@pytest.fixture
def place(tmp_path):
    return tmp_path / "cache" / "c.sqlite"


@pytest.mark.parametrize("scheduling", ["own", "concurrent", "waves"])
def test_a_rerun_asks_nothing_and_exports_the_same_bytes(tmp_path, place, scheduling):
    first = play(tmp_path / "a", Answering(scheduling=scheduling, cost=0.1), cache=place)
    idle = Answering(scheduling=scheduling, cost=0.1)
    again = play(tmp_path / "b", idle, cache=place)
    assert (idle.asked, idle.waves) == ([], [])
    assert exports(first, tmp_path) == exports(again, tmp_path)
    assert first.manifest.spec_hash == again.manifest.spec_hash


def test_a_cache_changes_no_byte_of_a_run(tmp_path, place):
    """With and without one, and when it is begun in the middle; the model's replies follow from its seeds here."""
    with FaultyServer() as server:
        backend = {"backend": f"openai:{server.model}", "model_args": {"base_url": server.url}}
        plain = play(tmp_path / "plain", **backend)
        play(tmp_path / "half", **backend, cache=place, limit=1)
        half = play(tmp_path / "whole", **backend, cache=place)
    assert half.frame(timing=True)["replayed"].gt(0).any()
    assert exports(plain, tmp_path) == exports(half, tmp_path)
    assert plain.manifest.spec_hash == half.manifest.spec_hash


def test_more_samples_draw_only_what_is_new(tmp_path, place):
    first = play(tmp_path / "a", Answering(), cache=place)
    backend = Answering()
    more = play(tmp_path / "b", backend, cache=place, samples=3)
    old = more.frame()["sample"] < 2
    assert more.frame()[old]["transcript"].tolist() == first.frame()["transcript"].tolist()
    timing = more.frame(timing=True)
    assert (timing["replayed"] == timing["calls"] * old).all()
    assert len(backend.asked) == more.frame()[~old]["calls"].sum()


@pytest.mark.parametrize("change", [{"seed": 1}, {"temperature": 0.5}, {"system_prompt": "Hm."}, {"max_tokens": 19}])
def test_another_seed_setting_or_prompt_draws_anew(tmp_path, place, change):
    play(tmp_path / "a", Answering(), cache=place)
    backend = Answering()
    run = play(tmp_path / "b", backend, cache=place, **change)
    assert len(backend.asked) == run.frame()["calls"].sum()
    assert run.frame(timing=True)["replayed"].eq(0).all()


def test_no_two_samples_arms_or_items_share_an_answer(tmp_path, place):
    backend = Answering()
    run = play(tmp_path / "a", backend, cache=place, samples=3)
    assert len(backend.asked) == run.frame()["calls"].sum()
    assert run.frame()["transcript"].is_unique


def test_two_models_of_one_name_never_meet(tmp_path, place):
    play(tmp_path / "a", Answering(sha256="one"), cache=place)
    other = Answering(sha256="two")
    run = play(tmp_path / "b", other, cache=place)
    assert len(other.asked) == run.frame()["calls"].sum()


# -- what a run says


def test_a_replayed_run_says_so_and_what_it_spared(tmp_path, place):
    first = play(tmp_path / "a", Answering(cost=0.125), cache=place)
    again = play(tmp_path / "b", Answering(cost=0.125), cache=place)
    calls = int(first.frame()["calls"].sum())
    assert first.manifest.notes == ()
    assert again.manifest.notes[0].startswith(f"{calls:,} of {calls:,} {REPLAYED}")
    for sample in again.samples():
        assert sample.usage.replayed == sample.usage.calls == sum(len(turn.calls) for turn in sample.turns)
        assert (sample.usage.cost, sample.usage.spared) == (0.0, 0.125 * sample.usage.calls)
    # What an answer costs is the model's, whoever paid for it: tables show the same, beside them is what was spared.
    assert again.frame()["cost"].sum() == first.frame()["cost"].sum() == calls * 0.125
    assert again.frame(timing=True)["spared"].sum() == calls * 0.125
    described = again.manifest.environment["backend"]
    assert described["device"] == "none"
    assert described["response_cache"] == "in use"
    assert (described["counts"]["cache_replayed"], described["counts"]["cache_asked"]) == (calls, 0)


def test_a_cached_run_shows_its_note(tmp_path, place):
    from finchmark.reports.terminal import run_text

    play(tmp_path / "a", Answering(), cache=place)
    assert "no independent repeat" not in run_text(StoredRun(tmp_path / "a"))
    again = play(tmp_path / "b", Answering(), cache=place)
    assert REPLAYED in run_text(again)


def test_a_usage_without_replays_is_stored_as_it_always_was():
    old = {"calls": 2, "prompt_tokens": 7, "cost": 0.5}
    usage = Usage(**old)
    assert (usage.replayed, usage.spared) == (0, 0.0)
    assert {"replayed", "spared"}.isdisjoint(usage.model_dump())
    replayed = Usage(calls=1, replayed=1, spared=0.25)
    assert Usage(**replayed.model_dump()) == replayed
    assert Usage.model_validate_json(replayed.model_dump_json()) == replayed
    total = usage + replayed + replayed
    assert (total.calls, total.replayed, total.spared, total.cost) == (4, 2, 0.5, 0.5)


def test_what_was_half_replayed_exports_the_same_sums(tmp_path, place):
    """0.1 + 0.2 + 0.3 is not 0.1 + 0.3 + 0.2 to the last bit; which call was paid must not show."""

    class Priced(Answering):
        def say(self, request):
            answer = super().say(request)
            cost = 0.1 * (1 + request.seed % 3)
            return Completion(answer.text, "stop", completion_tokens=3, cost=cost)

    first = play(tmp_path / "a", Priced(), cache=place, samples=4)
    backend = Priced()
    with contextlib.closing(sqlite3.connect(place)) as db, db:
        db.execute("DELETE FROM answers WHERE rowid % 2 = 0")
    # What is asked anew gets the text of before, as from a server that honours seeds.
    again_says = {c.seed: c.completion for s in first.samples() for t in s.turns for c in t.calls}
    backend.say = lambda r: (
        backend.asked.append(r),
        Completion(again_says[r.seed], "stop", completion_tokens=3, cost=0.1 * (1 + r.seed % 3)),
    )[1]
    again = play(tmp_path / "b", backend, cache=place, samples=4)
    assert 0 < len(backend.asked) < again.frame()["calls"].sum()
    assert exports(first, tmp_path) == exports(again, tmp_path)


# -- faults


class FailsOnce(Answering):
    """Fails at the fifth request."""

    def say(self, request):
        if len(self.asked) == 4:
            self.asked.append(request)
            raise BackendError("the lights went out")
        return super().say(request)


def test_an_errored_sample_that_is_tried_again_goes_on_from_the_fault(tmp_path, place):
    backend = FailsOnce()
    run = play(tmp_path / "a", backend, cache=place, limit=1, samples=1, retries=1, arms=["inductive"])
    (sample,) = run.samples()
    assert sample.attempt == 2
    assert sample.outcome != "error"
    assert sample.usage.replayed == 4
    failed = next(iter(run.samples(attempts=True)))
    said = [[c.completion for t in s.turns for c in t.calls] for s in (failed, sample)]
    assert said[1][:4] == said[0][:4]
    assert len(backend.asked) == sample.usage.calls + 1


@pytest.mark.parametrize(
    "harm",
    [
        lambda place: place.write_bytes(b"poison" * 999),
        lambda place: place.write_bytes(place.read_bytes()[:5000]),
        lambda place: place.write_bytes(b""),
        lambda place: _change(place, "UPDATE answers SET payload = X'7B7D'"),
        lambda place: _change(place, "UPDATE answers SET payload = (SELECT payload FROM answers LIMIT 1)"),
        lambda place: _change(place, "DROP TABLE answers"),
    ],
)
def test_a_poisoned_cache_file_costs_time_only(tmp_path, place, harm):
    play(tmp_path / "a", Answering(), cache=place)
    harm(place)
    backend = Answering()
    run = play(tmp_path / "b", backend, cache=place)
    assert run.manifest.complete
    assert set(run.frame()["outcome"]) == {"ok"} or "error" not in set(run.frame()["outcome"])
    assert len(backend.asked) == run.frame()["calls"].sum() - run.frame(timing=True)["replayed"].sum() > 0
    assert exports(run, tmp_path) == exports(play(tmp_path / "c", Answering(), cache=place), tmp_path)


def _change(place, statement):
    with contextlib.closing(sqlite3.connect(place)) as db, db:
        db.execute(statement)


class Slow(Answering):
    """Writes down each request, so that other processes can count them; replies follow from the seed."""

    def __init__(self, log):
        super().__init__(cost=0.5)
        self.log = log

    async def generate(self, request):
        time.sleep(0.001)
        with self.log.open("a") as out:
            out.write(f"{request.session} {request.seed}\n")
        return Completion(f"<action>{request.seed % 6}</action>", "stop", completion_tokens=3, cost=0.5)


@pytest.mark.parametrize("round_", range(3))
def test_a_run_that_is_killed_pays_for_nothing_twice(tmp_path, place, round_):
    """Killed at random, also while an answer is kept: at most the request under way at each kill is asked again."""
    whole = play(tmp_path / "whole", Slow(tmp_path / "log-whole"), cache=tmp_path / "other")
    log, kills = tmp_path / "log", 5
    log.touch()
    for kill in range(kills + 1):
        before = log.stat().st_size
        process = FORK.Process(target=play, args=(tmp_path / "r", Slow(log)), kwargs={"cache": place, "concurrency": 4})
        process.start()
        assert process.pid is not None
        # It has asked for something new by then, and its store and cache are at any point.
        while kill < kills and process.is_alive() and log.stat().st_size == before:
            time.sleep(0.0005)
        if kill < kills:
            time.sleep(0.03 * uniform("kill", round_, kill))
            os.kill(process.pid, signal.SIGKILL)
        process.join()
    assert process.exitcode == 0
    asked = log.read_text().splitlines()
    assert len(asked) - len(set(asked)) <= kills
    run = StoredRun(tmp_path / "r")
    assert run.frame(timing=True)["replayed"].gt(0).any()
    assert exports(run, tmp_path) == exports(whole, tmp_path)


def test_two_processes_share_a_cache(tmp_path, place):
    processes = [
        FORK.Process(target=play, args=(tmp_path / f"r{i}", Slow(tmp_path / "log")), kwargs={"cache": place})
        for i in range(2)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
        assert process.exitcode == 0
    idle = Slow(tmp_path / "log-idle")
    again = play(tmp_path / "again", idle, cache=place)
    assert not (tmp_path / "log-idle").exists()
    for i in range(2):
        assert exports(StoredRun(tmp_path / f"r{i}"), tmp_path) == exports(again, tmp_path)


# -- money


def test_what_was_paid_is_not_paid_again_and_counts_to_no_limit(tmp_path, place):
    prices = {"input": 0.0, "output": 1e6}  # a dollar a token
    options = {"cache": place, "max_tokens": 20, "samples": 2, "limit": 2}
    with FaultyServer(policy=lambda body: "<action>0</action>", context=100_000) as server:

        def backend(most):
            return OpenAIBackend("toy", base_url=server.url, prices=prices, max_cost=most, concurrency=2)

        spent, calls = [], 0
        while calls < 200:
            calls += 1
            one = backend(24.0)  # one request's bound is 20, so that episodes never end within one call
            try:
                run = play(tmp_path / "r", one, **options)
            except RunStopped:
                spent.append(one.purse.spent)
                continue
            spent.append(one.purse.spent)
            break
        frame = run.frame(timing=True)
        assert all(paid <= 24 for paid in spent)
        # Without a cache no episode would ever be finished; with it each reply is paid once.
        assert sum(spent) == pytest.approx(frame["cost"].sum())
        assert len(server.replies) == frame["calls"].sum()
        free = backend(0.0)
        assert play(tmp_path / "again", free, **options).manifest.complete
        assert free.purse.spent == 0


# -- how it is asked for


def test_time_limits_and_caches_exclude_each_other(tmp_path):
    with pytest.raises(UsageError, match="takes no time"):
        prepare("odyssey/lights", Answering(), cache=tmp_path, time_limit=5.0)


def test_a_size_needs_a_cache(tmp_path):
    with pytest.raises(UsageError, match="name one by --cache"):
        prepare("odyssey/lights", Answering(), cache_size=5)
    with pytest.raises(UsageError, match="at least 1"):
        prepare("odyssey/lights", Answering(), cache=tmp_path, cache_size=0)
    prepared = prepare("odyssey/lights", Answering(), cache=tmp_path / "c.sqlite", cache_size=5)
    assert prepared.cache is not None
    assert (prepared.cache.most_bytes, prepared.cache.path) == (5 * 2**20, tmp_path / "c.sqlite")


def test_a_foreign_file_is_refused_before_the_folder_is_made(tmp_path):
    _change(tmp_path / "samples.sqlite", "CREATE TABLE samples (id)")
    with pytest.raises(UsageError, match="no response cache"):
        play(tmp_path / "r", Answering(), cache=tmp_path / "samples.sqlite")
    assert not (tmp_path / "r").exists()


def test_the_command_line_and_run_files_name_a_cache(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)

    def finchmark(*args):
        monkeypatch.setattr("sys.argv", ["finchmark", *args])
        with pytest.raises(SystemExit) as leaving:
            cli.main()
        assert leaving.value.code == 0, capsys.readouterr().err

    with FaultyServer() as server:
        (tmp_path / "run.toml").write_text(
            f"""
            tasks = "odyssey/lights"
            backend = "openai:toy"
            limit = 1
            samples = 1
            max_tokens = 20
            quiet = true
            cache = "kept"
            [model_args]
            base_url = "{server.url}"
            """
        )
        finchmark("run", "--config", "run.toml", "--out", "a")
        asked = len(server.replies)
        finchmark("run", "--config", "run.toml", "--out", "b", "--cache", "kept/responses.sqlite", "--cache-size", "9")
        assert len(server.replies) == asked > 0
    assert "answered from a response cache" in StoredRun("b").manifest.notes[0]


def test_references_run_with_a_cache_as_without(tmp_path, place):
    kept = play(tmp_path / "a", "scripted:oracle", cache=place)
    assert exports(kept, tmp_path) == exports(play(tmp_path / "b", "scripted:oracle"), tmp_path)
    assert "never cached" in kept.manifest.environment["backend"]["response_cache"]
    assert not place.exists()


def test_a_comparison_says_that_a_side_was_replayed(tmp_path, place):
    play(tmp_path / "a", Answering(), cache=place)
    play(tmp_path / "b", Answering(), cache=place)
    first, second = read_results(tmp_path / "a"), read_results(tmp_path / "b")
    assert first.notes == ()
    assert any(REPLAYED in note for note in second.notes)
    assert any(REPLAYED in note for note in compare([first, second]).notes)
