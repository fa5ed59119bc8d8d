"""The task over the sandbox: oracles reach the ceiling, stubs nothing, attacks nothing, and rules count."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace

import pytest

from finchmark import evaluate
from finchmark.suite.conformance import check_task
from finchmark.suite.errors import UsageError
from finchmark.suite.registry import TASKS
from finchmark.suite.sandbox import available
from finchmark.tasks.creativebench.banks import without_bank
from finchmark.tasks.creativebench.problem import DOMAINS, load_problems
from finchmark.tasks.creativebench.programs import found_program
from finchmark.tasks.creativebench.several import slice_of, ways_by_item
from finchmark.tasks.creativebench.task import Explore
from finchmark.tasks.creativebench.trial import trial


def sandboxed():
    return any(tier.kind == "bubblewrap" and tier.usable for tier in available())


needs_sandbox = pytest.mark.skipif(not sandboxed(), reason="bubblewrap cannot be had here")
TASK = Explore()


def test_the_catalogue_offers_it():
    assert TASKS.load("creativebench/explore") is Explore


def test_the_full_tier_has_every_level_of_every_problem():
    items = TASK.items(TASK.tiers["full"], 0)
    assert len(items) == sum(len(problem.levels) + 1 for problem in load_problems().values())
    assert len({item.hash for item in items}) == len(items)


def test_smaller_tiers_hold_whole_problems():
    for tier in ("smoke", "lite"):
        items = TASK.items(TASK.tiers[tier], 0)
        assert 0 < len(items) <= TASK.tiers[tier].items
        for item in items:
            own = [i for i in items if i.data["problem"] == item.data["problem"]]
            assert len(own) == len(load_problems()[item.data["problem"]].levels) + 1


def test_a_tier_is_the_beginning_of_every_larger_one():
    smoke, lite, full = ({item.id for item in TASK.items(TASK.tiers[name], 0)} for name in ("smoke", "lite", "full"))
    assert smoke < lite < full


def test_a_small_tier_takes_the_domains_in_turn():
    counts = Counter()
    for item in TASK.items(TASK.tiers["lite"], 0):
        counts[item.data["domain"]] += item.data["level"] == 0
    assert set(counts) == set(DOMAINS)
    assert max(counts.values()) - min(counts.values()) <= 1


def test_what_is_drawn_stays_when_a_problem_is_added(monkeypatch):
    before = {item.id for item in TASK.items(TASK.tiers["full"], 0)}
    problems = load_problems()
    more = {**problems, "another": replace(problems["acronym"], name="another")}
    monkeypatch.setattr("finchmark.tasks.creativebench.task.load_problems", lambda: more)
    lite = [item.id for item in TASK.items(TASK.tiers["lite"], 0)]
    assert len(set(lite) - before) <= 5


def test_levels_of_a_problem_are_one_unit_and_levels_are_shown_apart():
    items = TASK.items(TASK.tiers["lite"], 0)
    by = {grouping.name: grouping for grouping in TASK.groupings(items)}
    assert {m.clusters for m in TASK.metrics} == {("sample", "item", "problem")}
    for item in items:
        assert by["problem"].groups[item.id] == item.data["problem"]
        assert by["constraints"].groups[item.id] == ("levels 1 and up" if item.data["level"] else "level 0")
        assert by["domain"].groups[item.id] == item.data["domain"]
    assert by["constraints"].shown == by["domain"].shown == ("quality", "novelty", "creativity")
    assert by["problem"].shown == ()


def test_without_a_sandbox_it_refuses_before_anything_is_spent(tmp_path, monkeypatch):
    off = [replace(tier, usable=False, detail="no namespaces here") for tier in available()]
    monkeypatch.setattr("finchmark.suite.sandbox.shared.available", lambda: off)
    monkeypatch.delenv("FINCHMARK_SANDBOX", raising=False)
    with pytest.raises(UsageError, match=r"no namespaces here.*FINCHMARK_SANDBOX=process"):
        evaluate("creativebench/explore", "scripted:oracle", tier="smoke", samples=1, out=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_no_prompt_shows_tests_or_solutions():
    for item in TASK.items(TASK.tiers["full"], 0):
        assert "assert " not in item.data["prompt"]
        assert item.proof["solution"].strip() not in item.data["prompt"]


def test_other_items_than_the_shipped_ones_are_refused():
    with pytest.raises(UsageError, match="only"):
        TASK.items(TASK.tiers["smoke"], 1)


@pytest.mark.parametrize(
    ("reply", "program"),
    [
        ("Here:\n```python\ndef f(): pass\n```\nDone.", "def f(): pass\n"),
        ("```\ndef f(): pass\n```", "def f(): pass\n"),
        ("```python\nf(1)\n```\n```python\ndef f(): pass\n```", "def f(): pass\n"),
        ("```python\ndef g(): pass\n```", "def g(): pass\n"),
        ("def f(): pass", "def f(): pass"),
        ("```bash\npip\n```", None),
        ("I cannot.", None),
        ("```python\ndef f(:\n```", None),
        ("", None),
    ],
)
def test_the_program_of_a_reply(reply, program):
    assert found_program(reply, ["f"]) == program


def scores(run, metric):
    return [s.metrics[metric] for s in sorted(run.samples(), key=lambda s: (s.key.item, s.key.sample))]


@needs_sandbox
def test_the_oracle_reaches_quality_and_no_novelty(tmp_path):
    run = evaluate("creativebench/explore", "scripted:oracle", tier="smoke", samples=1, out=tmp_path / "run")
    assert scores(run, "quality") == [1.0] * len(list(run.samples()))
    assert scores(run, "novelty") == [0.0] * len(list(run.samples()))


@needs_sandbox
def test_the_transcript_tells_the_slice_that_novelty_is_of(tmp_path):
    run = evaluate("creativebench/explore", "scripted:oracle", tier="smoke", samples=2, limit=2, out=tmp_path / "run")
    for sample in run.samples():
        (turn,) = sample.turns
        part = slice_of(turn)
        assert trial(part, load_problems()[sample.item.rpartition("-")[0]].tests).passed
        assert set(turn.scores) == {"distance", "allowance", "among"}
    found = ways_by_item(run.samples())
    assert {way.novelty for way in found.values()} == {0.0}
    assert {way.programs for way in found.values()} == {2}


@needs_sandbox
def test_a_problem_without_a_stored_bank_is_played(tmp_path, monkeypatch):
    mine = replace(load_problems()["acronym"], name="mine", others=(), levels=())
    assert without_bank(mine)
    monkeypatch.setattr("finchmark.tasks.creativebench.task.load_problems", lambda: {"mine": mine})
    run = evaluate("creativebench/explore", "scripted:oracle", tier="smoke", samples=1, out=tmp_path / "run")
    assert scores(run, "novelty") == [0.0]


@needs_sandbox
@pytest.mark.slow
def test_it_conforms():
    check_task(Explore, samples=1)


@needs_sandbox
def test_stubs_reach_nothing(tmp_path):
    run = evaluate("creativebench/explore", "scripted:random", tier="smoke", samples=1, out=tmp_path / "run")
    assert scores(run, "quality") == [0.0] * len(list(run.samples()))
    assert scores(run, "creativity") == [0.0] * len(list(run.samples()))


@needs_sandbox
def test_official_rows_are_played_and_their_references_pass_at_level_0(tmp_path):
    row = {
        "problem_id": "p",
        "language": "python",
        "question": "Write `double(x)`.",
        "test_code": "def test():\n    assert double(2) == 4\n    assert double(0) == 0\n",
        "reference_solution": "def double(x):\n    return x + x\n",
        "function_signature": "def double(x):",
    }
    rows = [
        {**row, "id": "p_L0", "level": 0, "constraints": []},
        {**row, "id": "p_L1", "level": 1, "constraints": ["Do not use any for loops."]},
        {**row, "id": "p_L2", "level": 2, "constraints": ["Do not use any for loops.", "Do not use binary search."]},
    ]
    path = tmp_path / "rows.jsonl"
    path.write_text("\n".join(json.dumps(r) for r in rows))
    run = evaluate("creativebench/explore", "scripted:oracle", data=path, samples=1, out=tmp_path / "run")
    assert scores(run, "passed") == [1.0] * 3
    assert scores(run, "unchecked") == [0.0, 0.0, 1.0]
    assert scores(run, "novelty") == [0.0] * 3
    by = {grouping.name: grouping.groups for grouping in run.manifest.tasks["creativebench/explore"].groupings}
    assert set(by["problem"].values()) == {"p"}
    assert "domain" not in by
