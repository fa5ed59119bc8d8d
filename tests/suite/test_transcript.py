"""Turns of open samples: few stay in memory, many lie in a file, and what is stored in the end is the same."""

from __future__ import annotations

import errno
import functools
import json
import multiprocessing
import os
import pickle
import signal
import sqlite3
import tempfile
import tracemalloc
from pathlib import Path
from types import MappingProxyType

import pytest

from finchmark import EpisodeResult, Item, Task, Tier, evaluate
from finchmark.suite import player, transcript
from finchmark.suite.agents.base import Observation
from finchmark.suite.errors import StoreError
from finchmark.suite.records import Call, Likelihood, LongTurns, Turn, Usage
from finchmark.suite.registry import TASKS, Entry
from finchmark.suite.sealing import SealedTask
from finchmark.suite.store import StoredRun
from finchmark.suite.transcript import Transcript, transcript_hash, turn_json, usage_of

ROUNDS = {"smoke": 40, "full": 400}


class Talk(Task):
    """Is asked the same thing four times a round, and told something new each time."""

    name = "transcripts/talk"
    summary = "A long talk."
    tiers = MappingProxyType({name: Tier(name, 1, 4 * rounds, 32) for name, rounds in ROUNDS.items()})
    dies_at = 0
    stubborn = False

    def items(self, tier, seed):
        return [Item(f"i{number}", {"rounds": ROUNDS[tier.name], "number": number}) for number in range(2)]

    async def episode(self, ctx):
        for number in range(4 * ctx.item.data["rounds"]):
            if self.dies_at == number + 1:
                os.kill(os.getpid(), signal.SIGKILL)
            said = "".join(chr(97 + int(n)) for n in ctx.rng.integers(0, 26, 300))
            try:
                action = await ctx.act(Observation(f"{number}\n{said}\u2028é", instructions=f"Memory: {said}"))
                ctx.judge(action.text, scores={"round": number // 4})
            except StoreError:
                if not self.stubborn:
                    raise
        return EpisodeResult({"success": 1.0})


class SealedTalk(SealedTask, Talk):
    """The same, and nothing of it may reach a disk."""

    name = "transcripts/sealed"


@pytest.fixture(autouse=True)
def registered():
    tasks = (Talk, SealedTalk)
    for task in tasks:
        TASKS.add(Entry(task.name, f"{__name__}:{task.__name__}", task.summary, ("smoke",)), task)
    yield
    for task in tasks:
        TASKS.forget(task.name)


def play(out, task="transcripts/talk", backend="scripted:nonsense", **options):
    asked = {"tier": "smoke", "samples": 1, "agent": "stateless", "out": out, **options}
    return evaluate(task, backend, **asked)


def exported(run, folder):
    found = []
    for kind in ("csv", "jsonl"):
        run.export(folder / f"export.{kind}", kind)
        found.append((folder / f"export.{kind}").read_bytes())
    return found


def keep(monkeypatch, **limits):
    monkeypatch.setattr(player, "Transcript", functools.partial(Transcript, **limits))


def in_memory(monkeypatch):
    keep(monkeypatch, most_turns=10**9, most_text=10**12)


def turns_of(count):
    for index in range(count):
        calls = tuple(
            Call(
                prompt_hash=f"p{index}",
                seed=2**63 - 1 - k,
                completion=f"wrote\n{index} \x00 \U0001f40d {k}",
                reasoning="because " * (index % 3),
                finish_reason="stop",
                usage=Usage(calls=1, prompt_tokens=index, seconds=0.1 * index + k / 3, cost=1e-7),
            )
            for k in range(index % 3)
        )
        likelihoods = (Likelihood(prompt_hash="h", continuation="c", logprobs=(-0.1, -1e-17), greedy=(True, False)),)
        yield Turn(
            index=index,
            seat="player" if index % 2 else "other",
            observation=f"saw\r\n{index}\u2028",
            calls=calls,
            action=None if index % 5 == 0 else f"did {index}",
            usable=index % 5 != 0,
            scores={"round": index // 4, "third": index / 3},
            likelihoods=likelihoods if index % 7 == 0 else (),
        )


def written(folder, count, **limits):
    record = Transcript(folder, **limits)
    for turn in turns_of(count):
        record.keep(f"t{turn.index // 3}", f"text {turn.index // 3}")
        record.append(turn, None if turn.index % 4 == 0 else f"reply {turn.index}")
    return record


# -- the same as in memory


def test_few_turns_stay_in_memory_and_make_no_file(tmp_path):
    turns, texts = written(tmp_path, transcript.MOST_TURNS).ended()
    assert turns == tuple(turns_of(transcript.MOST_TURNS))
    assert len(texts) == -(-transcript.MOST_TURNS // 3)


@pytest.mark.parametrize("limits", [{"most_turns": 1}, {"most_turns": 7}, {"most_turns": 10**6, "most_text": 100}])
def test_turns_in_a_file_are_read_as_they_were_written(tmp_path, limits):
    record, whole = written(tmp_path, 50, **limits), tuple(turns_of(50))
    assert tuple(record) == whole
    assert (record[0], record[-1], record[17], record[48]) == (whole[0], whole[-1], whole[17], whole[48])
    assert record[3:40:5] == whole[3:40:5]
    assert dict(record.replies) == {n: f"reply {n}" for n in range(50) if n % 4}
    assert [record.replies.get(n, "") for n in (0, 1, 49)] == ["", "reply 1", "reply 49"]
    assert dict(record.texts) == {f"t{n}": f"text {n}" for n in range(17)}
    turns, texts = record.ended()
    assert isinstance(turns, LongTurns)
    assert turns == whole
    assert texts == {}
    assert (turns[-1], turns[10:2:-3], turns[60:]) == (whole[-1], whole[10:2:-3], ())
    assert dict(turns.texts()) == dict(record.texts)
    assert usage_of(turns) == usage_of(whole)
    assert transcript_hash(turns) == transcript_hash(whole)
    assert list(turns.stored()) == [(turn.index, turn_json(turn)) for turn in whole]
    with pytest.raises(IndexError):
        turns[50]


def test_a_sample_that_ended_can_be_sent_to_another_process(tmp_path):
    whole = tuple(turns_of(50))
    turns, _ = written(tmp_path, 50, most_turns=7).ended()
    assert isinstance(turns, LongTurns)
    texts = list(turns.texts())
    sent = pickle.dumps(turns)
    turns.close()
    assert len(sent) < len(pickle.dumps(whole)) / 2
    arrived = pickle.loads(sent)
    assert arrived == whole
    assert list(arrived.texts()) == texts
    assert (arrived.usage, arrived.digest) == (usage_of(whole), transcript_hash(whole))


def test_a_run_with_files_is_byte_for_byte_one_without(tmp_path, monkeypatch):
    # Clocks stand still, so that all that a store holds can be compared and not only what is exported.
    monkeypatch.setattr("time.perf_counter", lambda: 0.0)
    found = []
    for name, limits in (("files", {"most_turns": 3}), ("memory", {"most_turns": 10**9, "most_text": 10**12})):
        keep(monkeypatch, **limits)
        run = play(tmp_path / name)
        found.append(((tmp_path / name / "samples.sqlite").read_bytes(), *exported(run, tmp_path)))
    assert found[0] == found[1]


@pytest.mark.parametrize(
    ("name", "agent"),
    [("learning/odyssey", "episodes"), ("misevolution/workflow", "history"), ("society/forum", "history")],
)
def test_tasks_and_agents_that_look_back_find_the_same(tmp_path, monkeypatch, name, agent):
    found = []
    for most in (1, 10**9):
        keep(monkeypatch, most_turns=most)
        out = tmp_path / f"{most}"
        run = evaluate(name, "scripted:oracle", tier="smoke", samples=1, limit=1, agent=agent, out=out)
        assert run.counts()["error"] == 0
        found.append(exported(run, tmp_path))
    assert found[0] == found[1]


def test_an_export_is_json_with_sorted_keys_line_by_line(tmp_path):
    run = play(tmp_path / "r", "house/probes", limit=2)
    play(tmp_path / "long")
    for folder in ("r", "long"):
        run = StoredRun(tmp_path / folder)
        for table in ("samples", "timing"):
            run.export(tmp_path / "e.jsonl", "jsonl", table=table)
            lines = (tmp_path / "e.jsonl").read_text().splitlines()
            assert [json.dumps(json.loads(line), ensure_ascii=True, sort_keys=True) for line in lines] == lines
            assert [len(json.loads(line)["turns"]) for line in lines] == [len(s.turns) for s in run.samples()]
            untimed = {"task", "turns", "usage", "metrics", "outcome", "error"}
            assert set(json.loads(lines[0])) - {"attempt", "seconds"} >= untimed
            assert ("seconds" in lines[0]) == (table == "timing")


def test_turns_of_long_samples_can_be_read_one_by_one_while_samples_are(tmp_path):
    run = play(tmp_path / "r")
    (whole,) = run.samples()
    samples = run.samples(lazy=True)
    lazy = next(samples)
    assert isinstance(lazy.turns, LongTurns)
    assert lazy.turns == whole.turns
    assert lazy.turns[-1] == whole.turns[-1]
    assert lazy.model_dump() == whole.model_dump()
    assert transcript_hash(lazy.turns) == transcript_hash(tuple(whole.turns))
    assert not list(samples)
    with pytest.raises(StoreError, match="while the samples are gone through"):
        list(lazy.turns)


# -- when things go wrong


def dying(out):
    Talk.dies_at = 130
    play(out)


def test_a_run_killed_in_a_long_sample_leaves_nothing_and_ends_with_the_same_bytes(tmp_path):
    undisturbed = exported(play(tmp_path / "undisturbed"), tmp_path)
    process = multiprocessing.get_context("fork").Process(target=dying, args=(tmp_path / "r",))
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    left = sorted(path.name for path in (tmp_path / "r").iterdir())
    assert not [name for name in left if name.startswith(transcript.LEFTOVER)]
    assert StoredRun(tmp_path / "r").counts()["ok"] == 0
    assert exported(play(tmp_path / "r"), tmp_path) == undisturbed


def test_a_file_that_a_kill_left_with_its_name_is_taken_away(tmp_path):
    run = play(tmp_path / "r")
    left = run.path / f"{transcript.LEFTOVER}abc"
    left.write_text("half a line")
    play(tmp_path / "r")
    assert not left.exists()


@pytest.mark.parametrize("stubborn", [False, True])
def test_a_full_disk_ends_the_run_with_a_clear_error_whatever_the_task_does(tmp_path, monkeypatch, stubborn):
    monkeypatch.setattr(Talk, "stubborn", stubborn)
    undisturbed = exported(play(tmp_path / "undisturbed"), tmp_path)
    with monkeypatch.context() as full:
        full.setattr("os.pwrite", raising(errno.ENOSPC))
        with pytest.raises(StoreError, match=r"r: the turns of an open sample .*\(No space left .* make room"):
            play(tmp_path / "r")
    assert sum(StoredRun(tmp_path / "r").counts().values()) == 0
    assert exported(play(tmp_path / "r"), tmp_path) == undisturbed


def test_a_folder_that_must_not_be_written_to_ends_the_run_with_a_clear_error(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "TemporaryFile", raising(errno.EACCES))
    with pytest.raises(StoreError, match=r"cannot be written there .Permission denied"):
        play(tmp_path / "r")


def test_without_room_for_another_open_file_turns_stay_in_memory(tmp_path, monkeypatch, caplog):
    expected = exported(play(tmp_path / "files"), tmp_path)
    monkeypatch.setattr(tempfile, "TemporaryFile", raising(errno.EMFILE))
    assert exported(play(tmp_path / "r"), tmp_path) == expected
    assert "too many files are open" in caplog.text


def test_a_file_that_cannot_be_read_again_leaves_no_half_sample(tmp_path, monkeypatch):
    monkeypatch.setattr("os.pread", lambda handle, length, offset: b"")
    with pytest.raises(StoreError, match="cannot be read there"):
        play(tmp_path / "r")
    with sqlite3.connect(tmp_path / "r" / "samples.sqlite") as db:
        assert db.execute("SELECT COUNT(*) FROM turns").fetchone() == (0,)
    db.close()


def raising(number):
    def fails(*args, **kwargs):
        raise OSError(number, os.strerror(number))

    return fails


def test_what_is_sealed_never_lies_in_a_file(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "TemporaryFile", raising(errno.EACCES))
    assert play(tmp_path / "r", "transcripts/sealed").counts()["ok"] == 1


def test_files_are_closed_with_their_samples(tmp_path):
    before = sum(1 for _ in Path("/proc/self/fd").iterdir())
    run = play(tmp_path / "r", limit=2)
    assert run.counts()["ok"] == 1
    assert sum(1 for _ in Path("/proc/self/fd").iterdir()) <= before


# -- memory


def peak(what):
    tracemalloc.start()
    try:
        what()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_memory_is_flat_in_rounds(tmp_path):
    play(tmp_path / "warm")  # what is loaded once is no matter of rounds
    played = {tier: peak(lambda tier=tier: play(tmp_path / tier, tier=tier)) for tier in ROUNDS}
    assert played["full"] < 1.5 * played["smoke"]

    def read(tier):
        run = StoredRun(tmp_path / tier)
        run.export(tmp_path / "e.jsonl", "jsonl")
        for sample in run.samples(lazy=True):
            assert sum(turn.scores["round"] for turn in sample.turns) > 0

    for tier in ROUNDS:
        read(tier)  # fills what pydantic keeps of short strings, 16,384 at most
    again = {tier: peak(lambda tier=tier: read(tier)) for tier in ROUNDS}
    assert again["full"] < 1.5 * again["smoke"]
