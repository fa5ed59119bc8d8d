"""Runs scored by likelihoods: kept, replayed, rescored; edits of them are found."""

from __future__ import annotations

import json
import shutil
import sqlite3
from pathlib import Path

import pytest

from finchmark.leaderboard.verify import verify
from finchmark.reports.terminal import transcript_text
from finchmark.suite.backends.base import Backend, Capabilities, Completion, ContextOverflow, TokenScores
from finchmark.suite.evaluation import evaluate
from finchmark.suite.registry import TASKS
from finchmark.suite.rescore import rescore
from finchmark.suite.seeds import generator
from finchmark.suite.store import StoredRun

TASK = '''
"""Which of four words comes next, by likelihood; then one word that is written."""

from finchmark.suite.agents.base import Observation
from finchmark.suite.backends.base import Message
from finchmark.suite.task import EpisodeResult, Item, Task

CHOICES = (" red", " green", " blue", " grey")


class Words(Task):
    """See the module."""

    name = "test/words"
    summary = "which word comes next"

    def items(self, tier, seed):
        return [Item(f"w{i:02}", {"question": f"word {i}:", "gold": i % 4}) for i in range(12)][: tier.items]

    async def episode(self, ctx):
        seen = Observation(ctx.item.data["question"], "Say a colour.")
        prompt = (Message("user", "Say a colour. " + seen.text),)
        found = await ctx.model().score_all([(prompt, choice) for choice in CHOICES])
        totals = [one.total for one in found]
        ctx.record(seen, scores={"margin": max(totals) - min(totals)})
        best = max(range(4), key=totals.__getitem__)
        return EpisodeResult({"success": float(best == ctx.item.data["gold"])})
'''


class Weigher(Backend):
    """Likelihoods that depend on prompt and continuation; some prompts are too long for it."""

    name, model = "weigher", "w-1"
    capabilities = Capabilities(scheduling="own", concurrency=8, logprobs="full")

    def identity(self):
        return {"name": "weigher", "weights": "abc"}

    async def generate(self, request):
        return Completion("red", finish_reason="stop")

    async def score(self, request):
        if "word 1:" in request.messages[-1].content:
            raise ContextOverflow(20, 10)
        rng = generator("weigher", request.messages[-1].content, request.continuation)
        logprobs = tuple(float(x) for x in -rng.exponential(size=len(request.continuation)))
        return TokenScores((7,) * len(logprobs), logprobs, tuple(x > -1 for x in logprobs))


@pytest.fixture(scope="module")
def include(tmp_path_factory):
    file = tmp_path_factory.mktemp("words") / "words.py"
    file.write_text(TASK)
    yield file
    TASKS.forget("test/words")


@pytest.fixture(scope="module")
def run(include, tmp_path_factory) -> StoredRun:
    out = tmp_path_factory.mktemp("run") / "run"
    return evaluate("test/words", Weigher(), tier="full", samples=2, out=out, include=[include])


@pytest.fixture
def copy(run, tmp_path) -> Path:
    return Path(shutil.copytree(run.path, tmp_path / "run"))


def edit(run: Path, change, *, sample: int = 5) -> None:
    db = sqlite3.connect(run / "samples.sqlite")
    (text,) = db.execute("SELECT data FROM turns WHERE sample_id = ?", (sample,)).fetchone()
    data = json.loads(text)
    change(data)
    db.execute("UPDATE turns SET data = ? WHERE sample_id = ?", (json.dumps(data), sample))
    db.commit()
    db.close()


def test_likelihoods_are_kept_with_the_turn_that_asked_for_them(run):
    sample = next(s for s in run.samples() if s.item == "w02")
    (turn,) = sample.turns
    assert [one.continuation for one in turn.likelihoods] == [" red", " green", " blue", " grey"]
    assert [len(one.logprobs) for one in turn.likelihoods] == [4, 6, 5, 5]
    assert run.text(turn.instructions) == "Say a colour."


def test_a_run_by_likelihood_verifies_clean(run):
    found = verify(run.path)
    assert found.ok, found.findings
    assert found.fully_replayed
    assert found.replayed == 24


def test_what_the_context_stopped_is_stopped_again(run):
    stopped = [s for s in run.samples() if s.item == "w01"]
    assert {(str(s.outcome), s.reason) for s in stopped} == {("invalid", "context_overflow")}
    assert verify(run.path).counts["stopped"] == 2


def test_rescoring_gives_the_same_scores(run, include, tmp_path):
    again = rescore(run.path, tmp_path / "again", include=[include])
    assert (again.changed, again.changed_prompts) == ([], 0)
    assert again.run.frame().equals(run.frame())


def test_equal_likelihoods_are_no_copied_replies(run):
    assert not {"same-transcript", "same-across-items"} & verify(run.path).counts.keys()


def test_a_better_likelihood_is_found_by_its_score(copy):
    def better(data):
        worst = min(data["likelihoods"], key=lambda one: sum(one["logprobs"]))
        worst["logprobs"] = [-1e-6] * len(worst["logprobs"])

    for sample in (5, 6, *range(9, 25)):
        edit(copy, better, sample=sample)
    assert "replay-turn" in verify(copy).counts  # the margin
    assert "replay-metric" in verify(copy).counts


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        (lambda d: d["likelihoods"][0].update(continuation=" rad"), "replay"),
        (lambda d: d["likelihoods"][0].update(prompt_hash="0" * 16), "prompt"),
        (lambda d: d["likelihoods"].pop(), "replay"),
        (lambda d: d["likelihoods"].append(d["likelihoods"][0]), "replay-turn"),
        (lambda d: d["likelihoods"][0]["logprobs"].append(0.0), "value"),
        (lambda d: d["likelihoods"][0]["logprobs"].__setitem__(0, 3.0), "value"),
        (lambda d: d.pop("likelihoods"), "replay-outcome"),
    ],
)
def test_each_edit_is_found(copy, change, kind):
    edit(copy, change)
    found = verify(copy)
    assert not found.ok
    assert kind in found.counts


def test_a_run_from_before_likelihoods_were_kept_says_so(copy):
    """Such a run reads as before; only its replay is refused, with the reason."""
    db = sqlite3.connect(copy / "samples.sqlite")
    db.execute("DELETE FROM turns")
    db.execute("DELETE FROM texts")
    db.execute("UPDATE samples SET turns = 0")
    db.commit()
    db.close()
    assert StoredRun(copy).frame()["success"].notna().all()
    found = verify(copy)
    assert any("before they were kept" in one.text for one in found.findings)


def test_turns_without_likelihoods_are_stored_as_before(tmp_path):
    done = evaluate("odyssey/lights", "scripted:random", samples=1, limit=1, out=tmp_path / "r")
    db = sqlite3.connect(done.path / "samples.sqlite")
    rows = [text for (text,) in db.execute("SELECT data FROM turns")]
    db.close()
    assert rows
    assert not any("likelihoods" in row for row in rows)


def test_a_transcript_shows_what_was_weighed(run):
    text = transcript_text(run, "default/w02/0")
    assert text.count("weighs │") == 4
    assert "log-probability" in text
    assert "does" not in text


def test_a_record_must_not_take_the_place_of_a_judgement(tmp_path):
    from finchmark.suite.registry import Entry
    from finchmark.suite.task import EpisodeResult, Item, Task

    async def episode(self, ctx):
        await ctx.act("say")
        ctx.record("say")
        return EpisodeResult({"success": 1.0})

    body = {
        "__doc__": "A task for a test.",
        "name": "test/overlap",
        "items": lambda self, tier, seed: [Item("a", {})],
        "episode": episode,
    }
    TASKS.add(Entry("test/overlap", "test:overlap", "", source="a test"), type("Overlap", (Task,), body))
    try:
        (sample,) = evaluate("test/overlap", "scripted:nonsense", samples=1, out=tmp_path / "r").samples()
    finally:
        TASKS.forget("test/overlap")
    assert "before an answer of player was judged" in sample.error
