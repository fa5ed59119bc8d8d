"""Faults of tasks, displays, plug-ins and users: none loses a sample, and none ends in silence."""

from __future__ import annotations

import asyncio
import importlib.util
import threading
from pathlib import Path

import pytest

from finchmark import EpisodeResult, Item, Metric, Task
from finchmark.suite.backends.base import Backend, Capabilities, Completion
from finchmark.suite.backends.scripted import ScriptedBackend
from finchmark.suite.errors import RunLocked, StoreError, UsageError
from finchmark.suite.evaluation import evaluate, prepare, run_prepared
from finchmark.suite.records import Outcome
from finchmark.suite.registry import TASKS, Entry
from finchmark.suite.rescore import rescore
from finchmark.suite.runfile import read_run_file
from finchmark.suite.store import StoredRun

_spec = importlib.util.spec_from_file_location("finchmark_test_plugins_2", Path(__file__).with_name("plugins.py"))
assert _spec is not None
assert _spec.loader is not None
plugins = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(plugins)
Moody = plugins.Moody


def make(name, episode, **changes):
    """Register a task of two items whose episode is given."""
    body = {
        "__doc__": "A task for a test.",
        "name": f"faults/{name}",
        "items": lambda self, tier, seed: [Item("a", {"n": 0}), Item("b", {"n": 1})],
        "episode": episode,
        **changes,
    }
    cls = type("Faulty", (Task,), body)
    TASKS.forget(cls.name)
    TASKS.add(Entry(cls.name, f"test:{name}", "", source="a test"), cls)
    return cls.name


async def fine(self, ctx):
    await ctx.ask("x")
    return EpisodeResult({"success": 1.0})


async def cancelled(self, ctx):
    other = asyncio.ensure_future(asyncio.sleep(9))
    other.cancel()
    await other


async def leaves(self, ctx):
    raise SystemExit(0)


async def no_text(self, ctx):
    await ctx.ask(123)


async def no_number(self, ctx):
    await ctx.act("x")
    ctx.judge("x", scores={"a": float("nan")})


async def odd_reason(self, ctx):
    await ctx.ask("x")
    return EpisodeResult({"success": 0.0}, Outcome.INVALID, None)


async def surrogate_error(self, ctx):
    raise RuntimeError("\ud800")


async def surrogate_seen(self, ctx):
    await ctx.act("\ud800")
    ctx.judge("\udfff", after="\ud800")
    return EpisodeResult({"success": 1.0})


@pytest.mark.parametrize(
    ("episode", "outcome"),
    [
        (cancelled, "error"),
        (leaves, "error"),
        (no_text, "error"),
        (no_number, "error"),
        (surrogate_error, "error"),
        (odd_reason, "invalid"),
        (surrogate_seen, "ok"),
    ],
)
def test_whatever_a_task_does_every_sample_is_stored_and_readable(tmp_path, episode, outcome):
    run = evaluate(make("any", episode), Moody(), samples=2, out=tmp_path / "r", concurrency=1)
    assert run.manifest.complete
    assert [s.outcome for s in run.samples()] == [outcome] * 4


def test_a_backend_that_cannot_clean_up_loses_no_sample(tmp_path):
    class Messy(Moody):
        def release(self, session):
            raise RuntimeError("no")

    assert evaluate(make("fine", fine), Messy(), samples=1, out=tmp_path / "r").counts()["ok"] == 2


def test_a_display_that_breaks_loses_no_sample(tmp_path):
    class Broken:
        def started(self, *a):
            raise OSError("closed")

        finished = stopped = started

    assert evaluate(make("fine", fine), Moody(), samples=1, out=tmp_path / "r", watcher=Broken()).manifest.complete


def test_calls_past_the_agent_are_recorded_too(tmp_path):
    from finchmark import Message

    async def direct(self, ctx):
        await ctx.model().generate([Message("user", "x")])
        return EpisodeResult({"success": 1.0})

    (sample, _) = evaluate(make("direct", direct), Moody(), samples=1, out=tmp_path / "r").samples()
    assert sample.usage.calls == 1


def test_seats_that_act_at_the_same_time_are_told_apart(tmp_path):
    async def both(self, ctx):
        await asyncio.gather(ctx.act("x", "left"), ctx.act("y", "right"))
        ctx.judge("l", seat="left")
        ctx.judge("r", seat="right")
        return EpisodeResult({"success": 1.0})

    run = evaluate(make("both", both, seats=("left", "right")), Moody(), samples=1, out=tmp_path / "r")
    for sample in run.samples():
        assert [(t.seat, t.action, len(t.calls)) for t in sample.turns] == [("left", "l", 1), ("right", "r", 1)]


def test_a_reply_cut_off_at_its_cap_is_invalid_where_a_task_asks(tmp_path):
    run = evaluate(make("fine", fine), Moody(finish="length"), samples=1, out=tmp_path / "r")
    assert set(run.frame()["reason"]) == {"cut_off"}
    assert set(run.frame()["success"]) == {0.0}


def test_the_time_limit_does_not_count_the_wait_for_others(tmp_path):
    class OneSlot(Backend):
        name = "slot"
        capabilities = Capabilities(scheduling="concurrent", concurrency=1)

        def identity(self):
            return {"name": "slot"}

        async def generate(self, request):
            await asyncio.sleep(0.05)
            return Completion("x", "stop", completion_tokens=1)

    run = evaluate(make("fine", fine), OneSlot(), samples=8, time_limit=0.4, concurrency=64, out=tmp_path / "r")
    assert run.counts()["invalid"] == 0


def test_thinking_counts_towards_the_token_limit(tmp_path):
    backend = Moody()
    evaluate(make("fine", fine), backend, samples=1, token_limit=50, think_budget=5000, out=tmp_path / "r")
    assert all(r.max_tokens + r.think_budget <= 50 for r in backend.requests)


def test_an_estimate_follows_the_caps_of_the_run():
    small, large = (
        prepare("odyssey/lights", "scripted:oracle", **o).estimates()["odyssey/lights"].completion_tokens
        for o in ({}, {"max_tokens": 4096, "think_budget": 1000})
    )
    assert large == small // 32 * 5096


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"items": lambda self, tier, seed: [Item("a", {}), Item("a", {"x": 1})]}, "two items of the id 'a'"),
        ({"metrics": (Metric(name="success", summary="s"),)}, "exactly one primary"),
        ({"metrics": (Metric(name="turns", summary="s", primary=True, failure=0.0),)}, "'turns', a name that is taken"),
    ],
)
def test_a_task_that_cannot_be_scored_is_refused_before_anything_is_spent(changes, match):
    with pytest.raises(UsageError, match=match):
        prepare(make("bad", fine, **changes), Moody())


@pytest.mark.parametrize("options", [{"retries": -1}, {"concurrency": 0}])
def test_numbers_that_would_play_nothing_are_refused(tmp_path, options):
    with pytest.raises(UsageError, match="must be at least"):
        run_prepared(prepare(make("fine", fine), Moody()), tmp_path / "r", **options)


@pytest.mark.parametrize("options", [{"temperature": float("inf")}, {"time_limit": float("inf")}])
def test_numbers_that_are_not_finite_are_refused(options):
    with pytest.raises(UsageError, match="finite"):
        prepare(make("fine", fine), Moody(), **options)


def test_two_functions_are_two_models(tmp_path):
    name = make("fine", fine)
    evaluate(name, ScriptedBackend(function=lambda r: "one"), samples=1, out=tmp_path / "r")
    with pytest.raises(UsageError, match="another specification"):
        evaluate(name, ScriptedBackend(function=lambda r: "two"), samples=1, out=tmp_path / "r")


def test_a_store_without_its_manifest_is_adopted_by_nobody(tmp_path):
    evaluate(make("fine", fine), Moody(), samples=1, out=tmp_path / "r")
    (tmp_path / "r" / "manifest.json").unlink()
    with pytest.raises(StoreError, match="nobody can tell"):
        evaluate(make("fine", fine), Moody("other"), samples=1, out=tmp_path / "r")


def test_two_threads_cannot_write_one_run(tmp_path):
    name, open_, go_on = make("fine", fine), threading.Event(), threading.Event()

    class Waits(Moody):
        async def generate(self, request):
            open_.set()
            await asyncio.to_thread(go_on.wait, 20)
            return await super().generate(request)

    thread = threading.Thread(target=lambda: evaluate(name, Waits(), samples=1, out=tmp_path / "r"))
    thread.start()
    assert open_.wait(20)
    try:
        with pytest.raises(RunLocked, match="this process"):
            evaluate(name, Moody(), samples=1, out=tmp_path / "r")
    finally:
        go_on.set()
        thread.join()
    assert StoredRun(tmp_path / "r").manifest.complete


def test_every_session_of_a_run_is_kept_in_its_manifest(tmp_path, monkeypatch):
    name = make("fine", fine)
    for commit in ("aaa", "bbb"):
        monkeypatch.setattr("finchmark.suite.evaluation.describe_environment", lambda c=commit: {"commit": c})
        run = evaluate(name, Moody(), samples=1, out=tmp_path / "r")
    assert [s["commit"] for s in run.manifest.sessions] == ["aaa", "bbb"]


def test_tasks_with_different_arms_are_rescored(tmp_path):
    evaluate(["odyssey/lights", make("fine", fine)], "scripted:nonsense", samples=1, out=tmp_path / "r")
    assert rescore(tmp_path / "r", tmp_path / "s").changed == []


def test_rescoring_never_shows_old_scores_for_new(tmp_path):
    evaluate(make("fine", fine), Moody(), samples=1, out=tmp_path / "r")
    rescore(tmp_path / "r")
    with pytest.raises(UsageError, match="is there already"):
        rescore(tmp_path / "r")


def test_rescoring_keeps_what_the_clock_decided(tmp_path):
    async def slow(self, ctx):
        await ctx.ask("x")
        await asyncio.sleep(0 if Task.quick else 9)
        return EpisodeResult({"success": 1.0})

    Task.quick = False
    try:
        evaluate(make("slow", slow), Moody(), samples=1, time_limit=0.1, out=tmp_path / "r")
        Task.quick = True
        found = rescore(tmp_path / "r")
    finally:
        del Task.quick
    assert found.changed == []
    assert set(found.run.frame()["reason"]) == {"time_limit"}


def test_an_unfinished_run_is_not_rescored(tmp_path):
    evaluate(make("fine", fine), Moody(), samples=1, out=tmp_path / "r")
    file = tmp_path / "r" / "manifest.json"
    file.write_text(file.read_text().replace('"expected": 2', '"expected": 3'))
    with pytest.raises(UsageError, match="2 of 3 samples"):
        rescore(tmp_path / "r")


def test_a_broken_plug_in_takes_nothing_else_along(monkeypatch, caplog):
    class Point:
        value, name, dist = "no.such:CATALOGUE", "broken", None

        def load(self):
            raise ImportError("no such thing")

    monkeypatch.setattr("importlib.metadata.entry_points", lambda group: [Point()])
    monkeypatch.setattr(TASKS, "_read_plugins", False)
    assert "odyssey/lights" in {e.name for e in TASKS.entries()}
    assert "broken" in caplog.text


@pytest.mark.parametrize(
    "text", ['samples = "3"', "label = 5", "model_args = 5", 'quiet = "false"', "tasks = 3", "temperature = true"]
)
def test_a_run_file_s_values_have_the_types_of_their_flags(tmp_path, text):
    (tmp_path / "r.toml").write_text(text)
    known = ["samples", "label", "model_args", "quiet", "tasks", "temperature"]
    with pytest.raises(UsageError, match="must be"):
        read_run_file(tmp_path / "r.toml", known)


def test_a_text_in_a_run_file_is_a_list_of_one(tmp_path):
    (tmp_path / "r.toml").write_text('include = "p.py"')
    assert read_run_file(tmp_path / "r.toml", ["include"]) == {"include": ["p.py"]}


def test_a_stop_string_ends_a_scripted_reply_before_its_cap():
    from finchmark.suite.backends.base import GenerateRequest, Message

    backend = ScriptedBackend("canned", replies=["<action>1</action> " + "word " * 50])
    request = GenerateRequest((Message("user", "x"),), "s", 0, 8, stop=("</action>",))
    done = asyncio.run(backend.generate(request))
    assert (done.text, done.finish_reason) == ("<action>1</action>", "stop")


def test_a_world_of_one_bulb_can_be_played(tmp_path):
    (tmp_path / "x.json").write_text('{"level": 1, "custom_logic": {"B0": "True"}}')
    run = evaluate("odyssey/lights", "scripted:oracle", data=tmp_path / "x.json", samples=1, out=tmp_path / "r")
    assert run.frame()["success"].mean() == 1.0


def test_the_plain_display_speaks_of_samples_and_errors(tmp_path, capsys):
    from finchmark.suite.progress import PlainProgress

    name = make("fine", fine)
    evaluate(name, Moody(broken="x"), samples=1, out=tmp_path / "r", watcher=PlainProgress(every=0.0))
    evaluate(name, Moody(), samples=1, out=tmp_path / "r", watcher=PlainProgress(every=0.0))
    said = capsys.readouterr().err
    assert "2 errors" in said
    assert "2/2 samples" in said


def test_the_live_display_shows_the_mean_so_far(tmp_path):
    from io import StringIO

    from rich.console import Console

    from finchmark.suite.progress import LiveProgress

    class Quiet(LiveProgress):
        text = ""

        def started(self, plans, expected, done, broker):
            self._tally.start(plans, expected, done, broker)

        def finished(self, sample):
            super().finished(sample)
            out = StringIO()
            Console(file=out, width=140).print(self._render())
            self.text = out.getvalue()

    shown = Quiet()
    evaluate("odyssey/lights", "scripted:oracle", arms=["inductive"], samples=3, out=tmp_path / "r", watcher=shown)
    assert "success 1.000 [" in shown.text
    assert "3/3 samples" in shown.text
