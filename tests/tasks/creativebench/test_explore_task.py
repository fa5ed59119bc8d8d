"""The task over the sandbox: oracles reach the ceiling, stubs nothing, attacks nothing, and rules count."""

from __future__ import annotations

import json

import pytest

from finchmark import evaluate
from finchmark.suite.errors import UsageError
from finchmark.suite.registry import TASKS, Entry
from finchmark.suite.sandbox import available
from finchmark.tasks.creativebench.problem import load_problems
from finchmark.tasks.creativebench.programs import found_program
from finchmark.tasks.creativebench.task import Explore


def sandboxed():
    return any(tier.kind == "bubblewrap" and tier.usable for tier in available())


needs_sandbox = pytest.mark.skipif(not sandboxed(), reason="bubblewrap cannot be had here")
TASK = Explore()


@pytest.fixture(autouse=True)
def registered():
    TASKS.add(Entry("creativebench/explore", f"{Explore.__module__}:Explore", "programs", tuple(Explore.tiers)))
    yield
    TASKS.forget("creativebench/explore")


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
