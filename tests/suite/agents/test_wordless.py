from __future__ import annotations

import asyncio

import pytest

from finchmark import evaluate
from finchmark.suite.agents.bandit import BanditAgent
from finchmark.suite.agents.base import Observation
from finchmark.suite.agents.least_squares import LeastSquaresAgent
from finchmark.suite.agents.percept import Option, Percept
from finchmark.suite.agents.tabular import TabularAgent
from finchmark.suite.agents.wordless import name_of
from finchmark.suite.conformance import check_agent
from finchmark.suite.errors import UsageError
from finchmark.suite.registry import AGENTS

LEARNERS = (TabularAgent, BanditAgent, LeastSquaresAgent)


@pytest.mark.parametrize("cls", LEARNERS)
def test_it_asks_no_model_and_is_in_the_catalogue(cls):
    assert not cls.asks_model
    assert AGENTS.load(cls.name) is cls


@pytest.mark.parametrize("cls", LEARNERS)
def test_without_a_percept_it_says_what_is_missing(cls):
    with pytest.raises(UsageError, match=f"{cls.name} reads no text.*no percept"):
        asyncio.run(cls().act(Observation("you see a lamp"), None))


@pytest.mark.parametrize("cls", LEARNERS)
def test_without_options_it_says_what_is_missing(cls):
    with pytest.raises(UsageError, match=f"{cls.name} takes one of a few options.*lists none"):
        asyncio.run(cls().act(Observation("x", percept=Percept("x", numbers={"a": 1.0})), None))


@pytest.mark.parametrize("cls", LEARNERS)
def test_its_action_is_an_option_s_text(cls, talk):
    seen = Percept("x", (Option("<action>1</action>", "one", "a"),), {"a": 1.0})
    assert talk(lambda request: "").turn(cls(), percept=seen) == "<action>1</action>"


def test_a_view_s_name_is_short_and_its_own():
    assert len(name_of("a" * 10_000)) == 12
    assert name_of("a") != name_of("b")
    assert name_of("\ud800") != name_of("")


@pytest.mark.parametrize(
    ("task", "agent"),
    [
        ("odyssey/lights", "tabular"),
        ("odyssey/trade", "least-squares"),
        ("odyssey/energy", "tabular"),
        ("odyssey/repo", "bandit"),
        ("worlds/wind-reach", "tabular"),
    ],
)
def test_a_run_without_a_model_is_a_run_like_others(task, agent, tmp_path):
    run = evaluate(task, "none", agent=agent, samples=1, out=tmp_path / "run")
    frame = run.frame()
    assert (frame["outcome"] == "ok").all()
    assert (frame["calls"] == 0).all()
    assert run.manifest.model == {"name": "none"}
    assert run.manifest.complete


def test_a_run_gives_the_same_table_twice_whatever_is_open_at_once(tmp_path):
    frames = [
        evaluate(
            "odyssey/lights",
            "none",
            agent="tabular",
            tier="gate",
            limit=6,
            samples=2,
            concurrency=c,
            out=tmp_path / str(c),
        ).frame()
        for c in (1, 16)
    ]
    assert frames[0].equals(frames[1])


@pytest.mark.parametrize("agent", ["tabular", "bandit"])
def test_repeats_of_an_item_are_no_copies(agent, tmp_path):
    run = evaluate("odyssey/lights", "none", agent=agent, tier="gate", limit=1, samples=8, out=tmp_path / "run")
    episodes = {tuple(turn.action for turn in sample.turns if turn.seat == "player") for sample in run.samples()}
    assert len(episodes) > 3


def test_a_task_whose_percepts_list_no_options_makes_errors_that_say_so(tmp_path):
    run = evaluate("odyssey/repo", "none", agent="tabular", tier="lite", limit=1, samples=1, out=tmp_path / "run")
    assert all("percept lists none" in sample.error for sample in run.samples())


def test_least_squares_answers_questions_about_rises(tmp_path):
    run = evaluate(
        "odyssey/trade",
        "none",
        agent="least-squares",
        tier="gate",
        limit=20,
        samples=1,
        arms=["inductive"],
        out=tmp_path,
    )
    assert run.frame()["rule_accuracy"].mean() > 0.9


@pytest.mark.parametrize("cls", LEARNERS)
def test_it_passes_the_conformance_checks(cls):
    check_agent(cls)
