"""Genuine runs verify clean; every tampering is found, named, and placed."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from finchmark.leaderboard.findings import KINDS, SHOWN, verification_text
from finchmark.leaderboard.verify import verify
from finchmark.suite.backends.base import Backend, Capabilities, Completion, ContextOverflow
from finchmark.suite.errors import BackendError, UsageError
from finchmark.suite.evaluation import evaluate
from finchmark.suite.registry import TASKS, Entry, include_file
from finchmark.suite.seeds import derive, generator
from finchmark.suite.task import EpisodeResult, Item, Task

FIRST = "odyssey/lights/inductive/smoke-000/0"


class Talker(Backend):
    """Stands for a model: it is none of the references, and may fail or be stopped."""

    name, model = "talker", "talker-1"
    capabilities = Capabilities(scheduling="own", concurrency=8)

    def __init__(self, say: Callable[[Any], str] | None = None) -> None:
        self.say = say or (lambda request: f"<action>{generator('t', request.seed).integers(4)}</action>")

    def identity(self) -> dict[str, Any]:
        return {"name": "talker", "weights": "abc"}

    async def generate(self, request):
        return Completion(self.say(request), finish_reason="stop", prompt_tokens=9, completion_tokens=3, cost=1e-4)


@pytest.fixture(scope="module")
def lights(tmp_path_factory) -> Path:
    """A run of a model: two arms, three samples."""
    out = tmp_path_factory.mktemp("lights") / "run"
    evaluate("odyssey/lights", Talker(), samples=3, out=out)
    return out


@pytest.fixture
def copy(lights, tmp_path) -> Path:
    return Path(shutil.copytree(lights, tmp_path / "run"))


def sql(run: Path, *statements: str) -> None:
    db = sqlite3.connect(run / "samples.sqlite")
    for statement in statements:
        db.execute(statement)
    db.commit()
    db.close()


def edit_turn(run: Path, change: Callable[[dict[str, Any]], Any], *, sample: int = 1, turn: int = 0) -> None:
    db = sqlite3.connect(run / "samples.sqlite")
    (text,) = db.execute("SELECT data FROM turns WHERE sample_id = ? AND turn = ?", (sample, turn)).fetchone()
    data = json.loads(text)
    change(data)
    db.execute("UPDATE turns SET data = ? WHERE sample_id = ? AND turn = ?", (json.dumps(data), sample, turn))
    db.commit()
    db.close()


def edit_manifest(run: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    file = run / "manifest.json"
    data = json.loads(file.read_text())
    change(data)
    file.write_text(json.dumps(data))


def kinds(run: Path, **options: Any) -> dict[str, int]:
    return {k: n for k, n in verify(run, **options).counts.items() if KINDS[k].severity == "error"}


class TestGenuine:
    @pytest.mark.parametrize("policy", ["oracle", "random", "nonsense"])
    def test_runs_on_all_worlds_in_both_arms_verify_clean(self, policy, tmp_path):
        evaluate("odyssey", f"scripted:{policy}", samples=2, out=tmp_path / "run")
        found = verify(tmp_path / "run")
        assert found.counts == {"scripted": 1}
        assert found.fully_replayed
        assert (found.expected, found.samples, found.replayed) == (16, 16, 16)

    def test_a_model_run_verifies_clean(self, lights):
        found = verify(lights)
        assert found.ok
        assert found.fully_replayed
        assert found.label == "talker:talker-1"
        assert {KINDS[kind].severity for kind in found.counts} <= {"warning"}

    def test_the_check_changes_nothing(self, copy):
        before = {file.name: file.read_bytes() for file in copy.iterdir()}
        verify(copy)
        assert {file.name: file.read_bytes() for file in copy.iterdir()} == before

    def test_it_works_where_a_loop_runs_already(self, lights):
        async def notebook():
            return verify(lights)

        assert asyncio.run(notebook()).fully_replayed

    @pytest.mark.parametrize("options", [{"items_seed": 7}, {"limit": 1}, {"agent": "stateless"}, {"temperature": 0.0}])
    def test_what_the_specification_varies_is_followed(self, options, tmp_path):
        evaluate("odyssey/lights", Talker(), samples=2, arms=["with-rules"], out=tmp_path / "run", **options)
        found = verify(tmp_path / "run")
        assert found.fully_replayed
        assert found.counts["some-arms"] == 1
        assert found.counts.get("first-items", 0) == ("limit" in options)

    def test_a_stop_by_the_context_is_replayed_and_counted(self, tmp_path):
        def full(request):
            if len(request.messages) > 3:
                raise ContextOverflow(99, 10)
            return "<action>0</action>"

        evaluate("odyssey/lights", Talker(full), samples=1, out=tmp_path / "run")
        found = verify(tmp_path / "run")
        assert found.fully_replayed
        assert found.counts["stopped"] == 2

    def test_a_stop_by_the_clock_is_replayed_though_no_clock_runs(self, tmp_path):
        class Slow(Talker):
            async def generate(self, request):
                await asyncio.sleep(30 if len(request.messages) > 9 else 0)
                return await super().generate(request)

        run = evaluate("odyssey/lights", Slow(), samples=1, time_limit=0.5, out=tmp_path / "run")
        assert set(run.frame()["reason"]) == {"time_limit"}
        assert min(len(sample.turns) for sample in run.samples()) > 1
        found = verify(tmp_path / "run")
        assert found.fully_replayed
        assert found.counts["stopped"] == 2

    def test_a_replay_may_take_longer_than_the_runs_time_limit(self, tmp_path):
        class Waiting(Task):
            name = "own/waiting-verified"
            pause = 0.0

            def items(self, tier, seed):
                return [Item("a", {})]

            async def episode(self, ctx):
                await asyncio.sleep(self.pause)
                return EpisodeResult({"success": float(await ctx.ask("?") == "!")})

        TASKS.add(Entry(Waiting.name, "tests:Waiting", "", source="tests"), Waiting)
        evaluate(Waiting.name, Talker(), samples=1, time_limit=0.5, out=tmp_path / "run")
        Waiting.pause = 0.6
        assert verify(tmp_path / "run").fully_replayed

    def test_a_token_limit_is_replayed(self, tmp_path):
        evaluate("odyssey/lights", Talker(), samples=1, token_limit=7, out=tmp_path / "run")
        found = verify(tmp_path / "run")
        assert found.fully_replayed
        assert found.counts["stopped"] == 2

    def test_a_rescored_run_verifies_and_says_what_it_is(self, lights, tmp_path):
        from finchmark.suite.rescore import rescore

        rescore(lights, tmp_path / "again")
        found = verify(tmp_path / "again")
        assert found.fully_replayed
        assert found.counts["notes"] == 1


def test_a_run_of_streams_is_refused_in_so_many_words(tmp_path):
    run = evaluate("learning/odyssey/lights", "scripted:random", streams=2, arms=["frozen"], out=tmp_path / "r")
    found = verify(run.path)
    assert not found.ok
    assert {finding.kind for finding in found.findings if finding.severity == "error"} == {"streams"}


class TestScores:
    def test_an_edited_score_is_found(self, copy):
        sql(copy, """UPDATE samples SET metrics = replace(metrics, '"success": 0.0', '"success": 1.0') WHERE id = 1""")
        found = verify(copy)
        assert not found.ok
        (finding,) = [f for f in found.findings if f.severity == "error"]
        assert (finding.kind, finding.where) == ("replay-metric", FIRST)
        assert "success is 1.0, the replay gives 0.0" in finding.text

    @pytest.mark.parametrize("value", ["1.5", "-1", "0.5", "NaN", "1e999", "true", '"1"', "null"])
    def test_a_value_that_the_metric_cannot_have_is_found(self, copy, value):
        sql(copy, f"""UPDATE samples SET metrics = replace(metrics, '"success": 0.0', '"success": {value}')""")
        assert kinds(copy).keys() & {"value", "row", "replay-metric"}

    @pytest.mark.parametrize("value", ["1.5", "-1", "0.5"])
    def test_a_value_out_of_range_is_named_as_such(self, copy, value):
        sql(
            copy,
            f"""UPDATE samples SET metrics = replace(metrics, '"success": 0.0', '"success": {value}') WHERE id = 1""",
        )
        assert kinds(copy) == {"value": 1, "replay-metric": 1}

    def test_a_share_above_one_is_named_as_such(self, copy):
        sql(copy, """UPDATE samples SET metrics = json_set(metrics, '$.unusable_rate', 1.5) WHERE id = 1""")
        (finding,) = [f for f in verify(copy).findings if f.kind == "value"]
        assert finding.text == "unusable_rate = 1.5 is outside [0, 1]"

    def test_a_metric_too_many_or_too_few_is_found(self, copy):
        sql(copy, """UPDATE samples SET metrics = '{"success": 0.0, "charm": 1.0}' WHERE id = 1""")
        assert kinds(copy) == {"value": 1, "replay-metric": 1}

    def test_a_success_of_an_invalid_sample_is_found(self, copy):
        sql(
            copy,
            "UPDATE samples SET outcome = 'invalid', reason = 'x', "
            """metrics = replace(metrics, '"success": 0.0', '"success": 1.0') WHERE id = 1""",
        )
        assert kinds(copy) == {"value": 1, "replay-outcome": 1, "replay-metric": 1, "manifest": 1}

    def test_a_key_given_twice_is_found(self, copy):
        sql(copy, """UPDATE samples SET metrics = replace(metrics, '{', '{"success": 1.0, ') WHERE id = 1""")
        assert "row" in kinds(copy)

    @pytest.mark.parametrize("field", ["prompt_tokens", "completion_tokens", "cost", "seconds"])
    def test_negative_usage_is_found(self, copy, field):
        edit_turn(copy, lambda turn: turn["calls"][0]["usage"].update({field: -5}))
        assert {"value", "usage"} <= kinds(copy).keys()

    def test_usage_that_is_not_the_sum_of_the_calls_is_found(self, copy):
        sql(copy, """UPDATE samples SET usage = replace(usage, '"cost": 0', '"cost": 1') WHERE id = 1""")
        assert kinds(copy) == {"usage": 1}

    def test_a_call_that_counts_as_two_is_found(self, copy):
        edit_turn(copy, lambda turn: turn["calls"][0]["usage"].update(calls=2))
        db = sqlite3.connect(copy / "samples.sqlite")
        usage = json.loads(db.execute("SELECT usage FROM samples WHERE id = 1").fetchone()[0])
        db.close()
        usage["calls"] += 1
        sql(copy, f"UPDATE samples SET usage = '{json.dumps(usage)}' WHERE id = 1")
        assert kinds(copy) == {"usage": 1}

    def test_replies_over_the_cap_are_pointed_out(self, tmp_path):
        class Wordy(Talker):
            async def generate(self, request):
                return Completion("<action>0</action>", finish_reason="stop", completion_tokens=33)

        evaluate("odyssey/lights", Wordy(), samples=1, out=tmp_path / "run")
        assert verify(tmp_path / "run").counts["over-cap"] == 2


class TestTranscripts:
    def test_an_edited_reply_is_found(self, copy):
        edit_turn(copy, lambda turn: turn["calls"][0].update(completion="<action>3</action> "))
        assert {"transcript", "replay-turn", "prompt"} <= kinds(copy).keys()

    def test_a_reply_edited_with_its_digest_is_found_by_the_replay(self, copy):
        from finchmark.suite.store import StoredRun, transcript_hash

        edit_turn(copy, lambda turn: turn["calls"][0].update(completion="<action>nothing</action>"))
        sample = next(s for s in StoredRun(copy).samples() if "/".join(map(str, s.key[:4])) == FIRST)
        sql(copy, f"UPDATE samples SET transcript = '{transcript_hash(sample.turns)}' WHERE id = 1")
        found = kinds(copy)
        assert "transcript" not in found
        assert {"replay-turn", "prompt"} <= found.keys()

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("observation", "All bulbs are on."),
            ("action", "3 "),
            ("usable", None),
            ("after", "Well done."),
            ("seat", "ghost"),
            ("instructions", "0" * 16),
            ("scores", {"right": 1.0}),
            ("index", 5),
        ],
    )
    def test_every_field_of_a_turn_is_held_against_the_replay(self, copy, field, value):
        def change(turn):
            turn[field] = not turn["usable"] if field == "usable" else value

        edit_turn(copy, change)
        assert kinds(copy)

    @pytest.mark.parametrize(
        ("field", "value", "kind"),
        [
            ("seed", 1, "seed"),
            ("prompt_hash", "0" * 16, "prompt"),
            ("finish_reason", "tired", "value"),
            ("reasoning", "hm", "transcript"),
        ],
    )
    def test_every_field_of_a_call_is_checked(self, copy, field, value, kind):
        edit_turn(copy, lambda turn: turn["calls"][0].update({field: value}))
        assert kind in kinds(copy)

    def test_instructions_of_the_other_arm_are_found(self, copy):
        db = sqlite3.connect(copy / "samples.sqlite")
        texts = [row[0] for row in db.execute("SELECT hash FROM texts")]
        db.close()
        edit_turn(copy, lambda turn: turn.update(instructions=next(t for t in texts if t != turn["instructions"])))
        assert kinds(copy) == {"replay-turn": 1}

    def test_a_turn_cut_off_is_found(self, copy):
        sql(copy, "DELETE FROM turns WHERE sample_id = 1 AND turn = (SELECT MAX(turn) FROM turns WHERE sample_id = 1)")
        assert {"transcript", "replay"} <= kinds(copy).keys()

    def test_a_turn_added_is_found(self, copy):
        sql(
            copy,
            "INSERT INTO turns SELECT 1, MAX(turn) + 1, replace(data, '\"index\":' || turn || ',', "
            "'\"index\":' || (turn + 1) || ',') FROM turns WHERE sample_id = 1",
        )
        assert {"transcript", "replay-turn", "usage"} <= kinds(copy).keys()

    def test_turns_of_no_sample_are_found(self, copy):
        sql(copy, "INSERT INTO turns SELECT 99, turn, data FROM turns WHERE sample_id = 1")
        assert set(kinds(copy)) == {"loose-turns"}

    def test_an_altered_text_is_found(self, copy):
        sql(copy, "UPDATE texts SET text = text || ' '")
        assert set(kinds(copy)) == {"text"}

    def test_a_missing_text_and_a_stray_one_are_found(self, copy):
        sql(copy, "UPDATE texts SET hash = '0000000000000000' WHERE hash = (SELECT MIN(hash) FROM texts)")
        found = verify(copy)
        assert found.counts["text"] == 3

    def test_a_claimed_stop_that_did_not_happen_is_found(self, copy):
        failed = json.dumps({"success": 0.0} | dict.fromkeys(["steps_to_success"]))
        sql(
            copy,
            f"UPDATE samples SET outcome = 'invalid', reason = 'context_overflow', metrics = '{failed}' WHERE id = 1",
        )
        assert {"replay-outcome", "replay-metric"} <= kinds(copy).keys()

    def test_a_stopped_episode_that_is_called_ok_is_found(self, tmp_path):
        def full(request):
            if len(request.messages) > 9:
                raise ContextOverflow(99, 10)
            return "<action>0</action>"

        evaluate("odyssey/lights", Talker(full), samples=1, out=tmp_path / "run")
        sql(tmp_path / "run", "UPDATE samples SET outcome = 'ok'")
        assert kinds(tmp_path / "run") == {"replay-outcome": 2, "manifest": 1}

    @pytest.mark.parametrize("reason", ["time_limit", "token_limit"])
    def test_a_limit_that_the_run_does_not_have_is_found(self, copy, reason):
        sql(copy, f"UPDATE samples SET outcome = 'invalid', reason = '{reason}' WHERE id = 1")
        assert "limit" in kinds(copy)


class TestCoverage:
    def test_a_missing_sample_is_named(self, copy):
        sql(copy, "DELETE FROM turns WHERE sample_id = 1", "DELETE FROM samples WHERE id = 1")
        found = verify(copy)
        (missing,) = [f for f in found.findings if f.kind == "missing-sample"]
        assert missing.where == FIRST

    def test_a_whole_arm_that_is_missing_is_counted(self, copy):
        sql(copy, "DELETE FROM samples WHERE arm = 'with-rules'")
        assert kinds(copy)["missing-sample"] == 3

    def test_more_missing_samples_than_are_named_are_counted(self, copy):
        edit_manifest(copy, lambda m: m["spec"].update(samples=10**15))
        found = verify(copy)
        assert found.counts["missing-sample"] == 2 * 10**15 - 6
        assert sum(f.kind == "missing-sample" for f in found.findings) == SHOWN

    @pytest.mark.parametrize(
        "change",
        [
            "sample = 3",
            "sample = -1",
            "item = 'smoke-001'",
            "arm = 'easy'",
            "task = 'odyssey/trade'",
            "stream = 's'",
            "position = 1",
            "checkpoint = 1",
            "agent = 'stateless'",
        ],
    )
    def test_a_sample_that_nobody_asked_for_is_found(self, copy, change):
        sql(copy, f"UPDATE samples SET {change} WHERE id = 1")
        found = kinds(copy)
        assert found["extra-sample"] == 1
        assert found["missing-sample"] == 1

    def test_a_better_second_attempt_is_found(self, copy):
        columns = "task, arm, item, sample, stream, position, checkpoint, agent, 2, version, item_hash, seed, outcome, "
        columns += "reason, metrics, usage, seconds, turns, transcript, error"
        sql(copy, f"INSERT INTO samples SELECT 99, {columns} FROM samples WHERE id = 1")
        sql(copy, "INSERT INTO turns SELECT 99, turn, data FROM turns WHERE sample_id = 1")
        found = verify(copy)
        assert [f.kind for f in found.findings if f.severity == "error"] == ["attempts"]
        assert found.counts["retried"] == 1

    def test_attempts_that_were_taken_out_are_found(self, copy):
        sql(copy, "UPDATE samples SET attempt = 4 WHERE id = 1")
        assert kinds(copy) == {"attempts": 1}

    def test_an_honest_retry_is_counted_only(self, tmp_path):
        failed = []

        def once(request):
            if not failed:
                failed.append(1)
                raise BackendError("a hiccup")
            return "<action>0</action>"

        evaluate("odyssey/lights", Talker(once), samples=2, retries=1, out=tmp_path / "run")
        found = verify(tmp_path / "run")
        assert found.fully_replayed
        assert found.counts["retried"] == 1

    def test_failures_filed_as_errors_are_found(self, copy):
        sql(copy, "UPDATE samples SET outcome = 'error', reason = 'BackendError', metrics = '{}' WHERE id = 1")
        assert set(kinds(copy)) == {"too-many-errors", "manifest"}

    def test_an_error_with_scores_is_found(self, copy):
        sql(copy, "UPDATE samples SET outcome = 'error' WHERE id = 1")
        assert "value" in kinds(copy)


class TestItems:
    def test_a_sample_on_another_item_is_found_and_not_replayed(self, copy):
        sql(copy, "UPDATE samples SET item_hash = '0000000000000000' WHERE id = 1")
        found = verify(copy)
        assert found.counts["item-hash"] == 1
        assert found.counts["not-replayed"] == 1
        assert found.replayed == 5

    def test_items_of_another_tier_are_found(self, tmp_path):
        evaluate("odyssey/lights", Talker(), tier="gate", limit=1, samples=1, out=tmp_path / "run")
        edit_manifest(tmp_path / "run", lambda m: m["spec"].update(tier="smoke"))
        found = kinds(tmp_path / "run")
        assert {"items", "extra-sample", "missing-sample", "spec-hash"} <= found.keys()

    def test_items_of_another_seed_are_found(self, tmp_path):
        evaluate("odyssey/lights", Talker(), samples=1, items_seed=1, out=tmp_path / "run")
        edit_manifest(tmp_path / "run", lambda m: m["spec"].update(items={"kind": "public", "seed": None}))
        assert {"items", "item-hash", "spec-hash"} <= kinds(tmp_path / "run").keys()

    def test_a_public_run_that_states_a_seed_is_found(self, copy):
        edit_manifest(copy, lambda m: m["spec"]["items"].update(seed=3))
        assert "items" in kinds(copy)

    def test_samples_drawn_with_other_seeds_are_found(self, copy):
        edit_manifest(copy, lambda m: m["spec"].update(seed=1))
        assert kinds(copy)["seed"] >= 6

    @pytest.fixture
    def copy(self, copy) -> Path:
        """The same, its rows numbered in the order of their keys: 1 and 2 are of one item and arm."""
        order = "(SELECT COUNT(*) FROM samples o WHERE (o.arm, o.sample) <= (s.arm, s.sample))"
        db = sqlite3.connect(copy / "samples.sqlite")
        new = dict(db.execute(f"SELECT id, {order} FROM samples s").fetchall())
        for table, column in (("samples", "id"), ("turns", "sample_id")):
            db.execute(f"UPDATE {table} SET {column} = -{column}")
            db.executemany(f"UPDATE {table} SET {column} = ? WHERE {column} = ?", [(n, -o) for o, n in new.items()])
        db.commit()
        db.close()
        return copy

    def test_a_sample_copied_over_another_is_found_by_its_seeds(self, copy):
        sql(
            copy,
            "DELETE FROM turns WHERE sample_id = 2",
            "INSERT INTO turns SELECT 2, turn, data FROM turns WHERE sample_id = 1",
            "UPDATE samples SET (metrics, usage, turns, transcript, outcome, reason) = "
            "(SELECT metrics, usage, turns, transcript, outcome, reason FROM samples WHERE id = 1) WHERE id = 2",
        )
        found = verify(copy)
        assert found.counts["seed"] >= 1
        assert found.counts["same-transcript"] >= 2

    def test_a_sample_copied_with_its_seeds_made_right_was_asked_other_questions(self, copy):
        db = sqlite3.connect(copy / "samples.sqlite")
        (seed,) = db.execute("SELECT seed FROM samples WHERE id = 2").fetchone()
        db.execute("DELETE FROM turns WHERE sample_id = 2")
        seats: dict[str, int] = {}
        for turn, text in db.execute("SELECT turn, data FROM turns WHERE sample_id = 1 ORDER BY turn").fetchall():
            data = json.loads(text)
            for call in data["calls"]:
                call["seed"] = derive(seed, data["seat"], seats.get(data["seat"], 0))
                seats[data["seat"]] = seats.get(data["seat"], 0) + 1
            db.execute("INSERT INTO turns VALUES (2, ?, ?)", (turn, json.dumps(data)))
        db.execute(
            "UPDATE samples SET (metrics, usage, turns, transcript) = "
            "(SELECT metrics, usage, turns, transcript FROM samples WHERE id = 1) WHERE id = 2"
        )
        db.commit()
        db.close()
        assert {"prompt", "replay-turn"} <= kinds(copy).keys()

    def test_samples_of_one_item_that_read_the_same_show_as_a_share(self, tmp_path):
        evaluate("odyssey/lights", Talker(lambda request: "?"), samples=3, out=tmp_path / "run")
        found = verify(tmp_path / "run")
        assert found.ok
        (twins,) = [f for f in found.findings if f.kind == "same-transcript"]
        assert twins.severity == "warning"
        assert "6 of 6 samples, 100.0 %" in twins.text

    def test_equal_samples_of_different_items_are_pointed_out(self, tmp_path):
        talker = Talker(lambda request: "<action>0</action>")
        evaluate("odyssey/lights", talker, tier="gate", limit=3, samples=1, out=tmp_path / "run")
        assert "same-across-items" in verify(tmp_path / "run").counts

    def test_greedy_samples_may_read_the_same(self, tmp_path):
        talker = Talker(lambda request: "<action>0</action>")
        evaluate("odyssey/lights", talker, samples=3, temperature=0.0, out=tmp_path / "run")
        assert "same-transcript" not in verify(tmp_path / "run").counts


class TestManifest:
    @pytest.mark.parametrize(
        ("change", "kind"),
        [
            (lambda m: m.update(spec_hash="0" * 32), "spec-hash"),
            (lambda m: m["spec"]["sampling"].update(temperature=0.0), "spec-hash"),
            (lambda m: m["model"].update(weights="others"), "model-hash"),
            (lambda m: m.update(model={"nan": float("nan")}), "manifest"),
            (lambda m: m.update(expected=5), "manifest"),
            (lambda m: m.update(complete=False), "manifest"),
            (lambda m: m["counts"].update(ok=5), "manifest"),
            (lambda m: m.update(format="finchmark-manifest/2"), "manifest"),
            (lambda m: m.update(extra=1), "manifest"),
            (lambda m: m.update(tasks={}), "manifest"),
            (lambda m: m["tasks"]["odyssey/lights"]["metrics"][0].update(high=2.0), "sheet"),
            (lambda m: m["tasks"]["odyssey/lights"]["metrics"].pop(), "sheet"),
            (lambda m: m["tasks"]["odyssey/lights"]["levels"]["inductive"]["success"].update(chance=0.0), "sheet"),
            (lambda m: m["tasks"]["odyssey/lights"]["levels"]["inductive"]["success"].update(chance=10**400), "sheet"),
            (lambda m: m["tasks"]["odyssey/lights"]["levels"]["inductive"]["success"].update(chance="x"), "manifest"),
            (lambda m: m["tasks"]["odyssey/lights"]["arms"].pop("inductive"), "sheet"),
            (lambda m: m["tasks"]["odyssey/lights"].update(summary="the best"), "wording"),
            (lambda m: m["spec"]["tasks"][0].update(version=2), "task-version"),
            (lambda m: m["spec"]["tasks"][0].update(name="odyssey/chess"), "unknown-task"),
            (lambda m: m["spec"]["tasks"][0].update(name="odyssey/*"), "unknown-task"),
            (lambda m: m["spec"]["tasks"][0].update(arms=["inductive", "hard"]), "plan"),
            (lambda m: m["spec"]["tasks"][0].update(arms=["inductive", "inductive"]), "plan"),
            (lambda m: m["spec"]["tasks"][0].update(items=2), "items"),
            (lambda m: m["spec"]["tasks"][0].update(items_hash="0"), "items"),
            (lambda m: m["spec"].update(tier="giant"), "plan"),
            (lambda m: m["spec"].update(tasks=[]), "manifest"),
            (lambda m: m["spec"].update(tasks=m["spec"]["tasks"] * 2), "manifest"),
            (lambda m: m["spec"].update(agent={"name": "history", "args": {"window": -1}}), "plan"),
            (lambda m: m["spec"].update(agent={"name": "history", "args": {"open": "/etc"}}), "plan"),
            (lambda m: m["spec"].update(agent={"name": "evil", "args": {}}), "extra-sample"),
            (lambda m: m["spec"].update(system_prompt="You may cheat."), "prompt"),
            (lambda m: m.update(label="mod\u202eel"), "label"),
            (lambda m: m.update(finchmark="0.0.1"), "other-version"),
        ],
    )
    def test_an_edited_manifest_is_found(self, copy, change, kind):
        edit_manifest(copy, change)
        found = verify(copy)
        assert kind in found.counts
        assert found.ok == (KINDS[kind].severity != "error")

    def test_a_version_from_elsewhere_is_a_finding_and_no_crash(self, copy, monkeypatch):
        from finchmark.tasks.odyssey.lights import Lights

        monkeypatch.setattr(Lights, "version", 2)
        found = verify(copy)
        assert found.counts["task-version"] == 1
        assert found.counts["not-replayed"] == 6

    def test_another_scorer_shows_in_every_sample(self, lights, monkeypatch):
        from finchmark.tasks.odyssey.lights import Lights

        monkeypatch.setattr(Lights, "score", lambda self, **k: {"success": 1.0, "steps_to_success": 9.5})
        assert kinds(lights)["replay-metric"] == 6

    def test_an_agent_that_may_not_be_made_replays_nothing(self, lights):
        found = verify(lights, agents=("stateless",))
        assert found.ok
        assert found.counts["not-replayed"] == 6


class TestItemsFromElsewhere:
    @pytest.fixture
    def secret(self, tmp_path) -> Path:
        file = tmp_path / "secret"
        file.write_text("a secret that nobody will guess")
        return file

    @pytest.fixture
    def private(self, secret, tmp_path) -> Path:
        evaluate("odyssey/lights", Talker(), samples=2, items_secret=secret, out=tmp_path / "run")
        return tmp_path / "run"

    def test_private_items_are_replayed_with_their_secret(self, private, secret):
        assert verify(private, items_secret=secret).fully_replayed

    def test_private_items_without_their_secret_are_said_not_to_be_replayed(self, private):
        found = verify(private)
        assert found.ok
        assert not found.fully_replayed
        assert found.counts["not-replayed"] == 4
        assert "submitter's word" in verification_text(found)

    def test_another_secret_replays_nothing(self, private, tmp_path):
        other = tmp_path / "other"
        other.write_text("another secret of some length")
        found = verify(private, items_secret=other)
        assert found.counts["not-replayed"] == 4
        assert "another secret" in verification_text(found)

    def test_what_needs_no_items_is_checked_all_the_same(self, private):
        sql(private, "UPDATE samples SET seed = 1, item_hash = 'x' WHERE id = 1")
        assert {"seed", "item-hash"} <= kinds(private).keys()

    def test_levels_of_unknown_items_are_numbers_all_the_same(self, private):
        file = private / "manifest.json"
        file.write_text(re.sub(r'"chance": 0\.\d+', '"chance": 1e999', file.read_text()))
        assert set(kinds(private)) == {"sheet"}

    def test_a_sample_missing_among_unknown_items_is_named(self, private):
        sql(private, "DELETE FROM turns WHERE sample_id = 2", "DELETE FROM samples WHERE id = 2")
        assert kinds(private)["missing-sample"] == 1

    def test_tasks_of_ones_own_are_included(self, tmp_path):
        file = tmp_path / "own.py"
        file.write_text(
            "from finchmark.suite.task import EpisodeResult, Item, Task\n"
            "class Echo(Task):\n"
            "    name = 'own/echo-verified'\n"
            "    def items(self, tier, seed):\n"
            "        return [Item(f'{i}', {'i': i}) for i in range(tier.items)]\n"
            "    async def episode(self, ctx):\n"
            "        return EpisodeResult({'success': float(await ctx.ask('Say 0.') == '<action>0</action>')})\n"
        )
        include_file(file)
        evaluate("own/echo-verified", Talker(), samples=2, out=tmp_path / "run")
        assert verify(tmp_path / "run").fully_replayed

    def test_a_task_that_is_not_deterministic_is_found(self, tmp_path):
        count = iter(range(1000))

        class Moody(Task):
            name = "own/moody-verified"

            def items(self, tier, seed):
                return [Item("a", {})]

            async def episode(self, ctx):
                await ctx.ask(f"Number {next(count)}")
                return EpisodeResult({"success": 1.0})

        TASKS.add(Entry(Moody.name, "tests:Moody", "", source="tests"), Moody)
        evaluate(Moody.name, Talker(), samples=1, out=tmp_path / "run")
        assert {"prompt", "replay-turn"} <= kinds(tmp_path / "run").keys()


class TestText:
    def test_it_says_what_a_replay_cannot_show(self, lights):
        text = verification_text(verify(lights))
        assert "can be accepted" in text
        assert "cannot show who wrote the replies" in text
        assert "Every score was recomputed" in text

    def test_it_names_kind_place_and_rest(self, copy):
        db = sqlite3.connect(copy / "samples.sqlite")
        db.executemany("INSERT INTO texts VALUES (?, 'x')", [(f"{i:016x}",) for i in range(30)])
        db.commit()
        db.close()
        found = verify(copy)
        text = verification_text(found)
        assert found.counts["text"] == 60
        assert f"error: text (60): {KINDS['text'].meaning}" in text
        assert "and 40 more" in text

    def test_hostile_names_stay_visible_text(self, copy):
        edit_manifest(copy, lambda m: m.update(label="\x1b[31mred\u202e"))
        text = verification_text(verify(copy))
        assert "\x1b" not in text
        assert "\u202e" not in text
        assert "\\u001b" in text

    def test_a_folder_that_is_not_there_is_a_usage_error(self, tmp_path):
        with pytest.raises(UsageError, match="no folder"):
            verify(tmp_path / "no")
