from __future__ import annotations

import asyncio
import importlib.util
from pathlib import Path

import pytest

from finchmark.suite.errors import StoreError, UsageError
from finchmark.suite.evaluation import evaluate, parse_pairs, prepare
from finchmark.suite.records import Outcome
from finchmark.suite.registry import TASKS, include_file
from finchmark.suite.store import RunWriter

PLUGINS = Path(__file__).with_name("plugins.py")
_spec = importlib.util.spec_from_file_location("finchmark_test_plugins", PLUGINS)
assert _spec is not None
assert _spec.loader is not None
plugins = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(plugins)
Moody = plugins.Moody


@pytest.fixture(autouse=True, scope="module")
def parity():
    if "harness/parity" not in {e.name for e in TASKS.entries()}:
        include_file(PLUGINS)


def transcripts(run):
    return {s.key: [c.model_dump(exclude={"usage"}) for t in s.turns for c in t.calls] for s in run.samples()}


def test_an_episode_is_the_same_alone_in_a_batch_and_in_another_order(tmp_path):
    alone = evaluate("harness/parity", "scripted:nonsense", samples=1, limit=1, concurrency=1, out=tmp_path / "alone")
    batch = evaluate("harness/parity", "scripted:nonsense", samples=5, concurrency=64, out=tmp_path / "batch")
    one_by_one = evaluate("harness/parity", "scripted:nonsense", samples=5, concurrency=1, out=tmp_path / "one")
    key = next(iter(transcripts(alone)))
    assert transcripts(batch)[key] == transcripts(alone)[key]
    assert transcripts(batch) == transcripts(one_by_one)
    assert batch.frame()["draw"].tolist() == one_by_one.frame()["draw"].tolist()
    assert alone.frame()["draw"].iloc[0] == batch.frame()["draw"].iloc[0]


def test_the_order_of_tasks_items_and_samples_does_not_matter(tmp_path, monkeypatch):
    from finchmark.suite.schedule import Schedule

    forward = evaluate("harness/parity", "scripted:nonsense", samples=3, concurrency=2, out=tmp_path / "f")
    units = Schedule._units
    monkeypatch.setattr(Schedule, "_units", lambda self: iter(list(units(self))[::-1]))
    backward = evaluate("harness/parity", "scripted:nonsense", samples=3, concurrency=2, out=tmp_path / "b")
    assert transcripts(forward) == transcripts(backward)
    assert forward.frame().equals(backward.frame())


def test_samples_of_an_item_get_different_seeds_and_numbers(tmp_path):
    backend = Moody()
    run = evaluate("harness/parity", backend, samples=4, out=tmp_path / "r")
    assert len({r.seed for r in backend.requests}) == 6 * 4 * 3
    assert run.frame()["draw"].nunique() == 6 * 4


def test_another_run_seed_gives_other_numbers(tmp_path):
    draws = [
        evaluate("harness/parity", Moody(), samples=2, seed=s, out=tmp_path / str(s)).frame()["draw"] for s in (0, 1)
    ]
    assert not set(draws[0]) & set(draws[1])


def test_the_oracle_is_right(tmp_path):
    assert evaluate("harness/parity", "scripted:oracle", samples=2, out=tmp_path / "r").frame()["success"].mean() == 1.0


def test_a_failing_backend_makes_errors_that_are_not_scored(tmp_path):
    run = evaluate("harness/parity", Moody(broken="Is 2"), samples=2, out=tmp_path / "r")
    frame = run.frame()
    assert run.manifest.counts == {"ok": 10, "invalid": 0, "refused": 0, "error": 2}
    assert frame.loc[frame.outcome == "error", "success"].isna().all()
    broken = [s for s in run.samples() if s.outcome is Outcome.ERROR]
    assert all("the lights went out" in s.error and "Traceback" in s.error for s in broken)


def test_resuming_runs_errors_again_and_keeps_the_attempts(tmp_path):
    evaluate("harness/parity", Moody(broken="Is 2"), samples=2, out=tmp_path / "r")
    mended = Moody()
    run = evaluate("harness/parity", mended, samples=2, out=tmp_path / "r")
    assert len(mended.requests) == 2 * 3
    assert run.manifest.complete
    assert run.counts()["error"] == 0
    attempts = [
        (s.item, s.sample, s.attempt, s.outcome) for s in run.samples(attempts=True, turns=False) if s.item == "002"
    ]
    assert [a[2:] for a in attempts] == [(1, "error"), (2, "ok")] * 2


def test_retries_happen_within_a_run(tmp_path):
    run = evaluate("harness/parity", Moody(broken="Is 2"), samples=1, retries=2, out=tmp_path / "r")
    assert max(s.attempt for s in run.samples(attempts=True)) == 3
    assert run.counts()["error"] == 1


def test_the_turns_before_an_error_are_kept(tmp_path):
    class Late(Moody):
        async def generate(self, request):
            if len(self.requests) == 2:
                self.broken = "Is"
            return await super().generate(request)

    run = evaluate("harness/parity", Late(), samples=1, limit=1, out=tmp_path / "r")
    (sample,) = run.samples()
    assert sample.outcome is Outcome.ERROR
    assert [len(t.calls) for t in sample.turns] == [1, 1, 0]


def test_a_content_filter_is_a_refusal_and_scored_as_a_failure(tmp_path):
    run = evaluate("harness/parity", Moody(finish="content_filter"), samples=1, out=tmp_path / "r")
    frame = run.frame()
    assert set(frame.outcome) == {"refused"}
    assert set(frame.reason) == {"content_filter"}
    assert set(frame.success) == {0.0}


def test_the_token_limit_makes_a_sample_invalid_not_an_error(tmp_path):
    run = evaluate("harness/parity", Moody(), samples=1, token_limit=4, out=tmp_path / "r")
    frame = run.frame()
    assert set(frame.outcome) == {"invalid"}
    assert set(frame.reason) == {"token_limit"}
    assert set(frame.success) == {0.0}
    assert set(frame.completion_tokens) == {4}


def test_the_time_limit_makes_a_sample_invalid_not_an_error(tmp_path):
    run = evaluate("harness/parity", Moody(delay=5.0), samples=1, limit=1, time_limit=0.05, out=tmp_path / "r")
    assert run.frame()[["outcome", "reason"]].iloc[0].tolist() == ["invalid", "time_limit"]


def test_a_context_overflow_makes_a_sample_invalid_not_an_error(tmp_path):
    from finchmark.suite.backends.base import ContextOverflow

    class Small(Moody):
        async def generate(self, request):
            raise ContextOverflow(99, 10)

    run = evaluate("harness/parity", Small(), samples=1, limit=1, out=tmp_path / "r")
    assert run.frame()[["outcome", "reason"]].iloc[0].tolist() == ["invalid", "context_overflow"]


@pytest.mark.parametrize(
    ("metrics", "match"),
    [
        ({"success": 1.0}, "declares"),
        ({"success": 0.5, "draw": 0.1}, "binary"),
        ({"success": 1.0, "draw": 7.0}, "outside"),
        ({"success": float("nan"), "draw": 0.1}, "outside"),
    ],
)
def test_numbers_that_break_a_task_s_own_declaration_are_errors(tmp_path, monkeypatch, metrics, match):
    from finchmark import EpisodeResult

    async def episode(self, ctx):
        await ctx.ask("?")
        return EpisodeResult(metrics)

    monkeypatch.setattr(TASKS.load("harness/parity"), "episode", episode)
    run = evaluate("harness/parity", Moody(), samples=1, limit=1, out=tmp_path / "r")
    (sample,) = run.samples()
    assert sample.outcome is Outcome.ERROR
    assert match in sample.error


def test_a_store_that_fails_stops_the_run_with_its_own_error(tmp_path, monkeypatch):
    def full(self, sample, update, state):
        raise StoreError("the disk is full")

    monkeypatch.setattr(RunWriter, "append", full)
    with pytest.raises(StoreError, match="disk is full"):
        evaluate("harness/parity", Moody(), samples=1, out=tmp_path / "r")


def test_evaluate_works_where_a_loop_already_runs(tmp_path):
    async def notebook():
        return evaluate("harness/parity", "scripted:oracle", samples=1, out=tmp_path / "r")

    assert asyncio.run(notebook()).manifest.complete


def test_errors_come_through_where_a_loop_already_runs(tmp_path):
    async def notebook():
        return evaluate("harness/parity", "scripted:heuristic", out=tmp_path / "r")

    with pytest.raises(UsageError, match="no reference 'heuristic'"):
        asyncio.run(notebook())


def test_another_model_is_another_run(tmp_path):
    evaluate("harness/parity", Moody("one"), samples=1, out=tmp_path / "r")
    with pytest.raises(UsageError, match="another specification"):
        evaluate("harness/parity", Moody("two"), samples=1, out=tmp_path / "r")


def test_a_finished_run_asks_nothing_again(tmp_path):
    evaluate("harness/parity", Moody(), samples=1, out=tmp_path / "r")
    again = Moody()
    evaluate("harness/parity", again, samples=1, out=tmp_path / "r")
    assert again.requests == []


def test_a_backend_is_closed_also_after_a_failure(tmp_path):
    class Closing(Moody):
        closed = 0

        async def start(self):
            raise UsageError("no such thing")

        async def aclose(self):
            self.closed += 1

    backend = Closing()
    with pytest.raises(UsageError, match="no such thing"):
        evaluate("harness/parity", backend, out=tmp_path / "r")
    assert backend.closed == 1


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"tier": "huge"}, "no tier 'huge'"),
        ({"arms": ["nope"]}, "no arm 'nope'"),
        ({"samples": 0}, "samples must be at least 1"),
        ({"limit": 0}, "limit must be at least 1"),
        ({"agent": "histori"}, "Did you mean 'history'"),
        ({"agent_args": {"windw": 3}}, "windw"),
        ({"agent_args": {"window": -1}}, "window"),
    ],
)
def test_wrong_options_are_named(options, match):
    with pytest.raises(UsageError, match=match):
        prepare("harness/parity", "scripted:oracle", **options)


@pytest.mark.parametrize(
    ("backend", "match"),
    [
        ("hff:x", "Did you mean 'hf'"),
        ("scripted:canned", "needs its replies"),
        ("scripted:oracl", "no reference 'oracl'"),
    ],
)
def test_wrong_backends_are_named(backend, match):
    with pytest.raises(UsageError, match=match):
        prepare("harness/parity", backend)


def test_equal_options_have_equal_specifications_and_folders():
    a, b = (prepare("harness/parity", "scripted:oracle", samples=3) for _ in range(2))
    assert a.spec == b.spec
    assert a.default_out() == b.default_out()
    assert prepare("harness/parity", "scripted:oracle", samples=4).default_out() != a.default_out()


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("a=1,b=x", {"a": 1, "b": "x"}),
        ('r=["x,y", "z"],d=float32', {"r": ["x,y", "z"], "d": "float32"}),
        ("path=/a=b/c", {"path": "/a=b/c"}),
        ("t=true,n=none,f=1.5", {"t": True, "n": None, "f": 1.5}),
        ("rev=1a2b,id=007", {"rev": "1a2b", "id": "007"}),
        ("empty=", {"empty": ""}),
    ],
)
def test_pairs_are_read(text, found):
    assert parse_pairs([text], "--model-args") == found


@pytest.mark.parametrize("text", ["a", "=1", "a b=1"])
def test_pairs_without_a_key_are_refused(text):
    with pytest.raises(UsageError, match="key=value"):
        parse_pairs([text], "--model-args")
