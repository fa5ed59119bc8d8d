from __future__ import annotations

import itertools

import pytest

from finchmark.suite.agents.history import HistoryAgent
from finchmark.suite.agents.workflows import WORKFLOWS, WorkflowsAgent
from finchmark.suite.conformance import check_agent
from finchmark.suite.errors import UsageError
from finchmark.suite.seeds import generator, uniform

A, B, C = "<action>a</action>", "<action>b</action>", "<action>c</action>"


def in_turn(*texts):
    replies = itertools.cycle(texts)
    return lambda request: next(replies)


def played(talk, workflow: str, *texts) -> tuple[str, list]:
    model = talk(in_turn(*texts))
    return model.turn(WorkflowsAgent(workflow)), model.requests


@pytest.mark.parametrize("workflow", WORKFLOWS)
def test_where_all_replies_agree_every_workflow_gives_them(talk, workflow):
    said, requests = played(talk, workflow, A)
    assert said == A
    assert len(requests) == {"single": 1, "ensemble": 3, "debate": 4, "verify": 2}[workflow]


def test_an_ensemble_gives_what_most_say(talk):
    assert played(talk, "ensemble", A, B, B)[0] == B


def test_in_a_debate_each_answers_the_other(talk):
    _, requests = played(talk, "debate", A, B, C, C)
    for request, own, other in ((requests[2], A, B), (requests[3], B, A)):
        asked = request.messages[-1].content
        assert asked.startswith(requests[0].messages[-1].content)
        assert f"about to answer:\n{own}\n" in asked
        assert f"proposes:\n{other}\n" in asked


def test_second_thoughts_come_first_where_a_debate_is_tied(talk):
    assert played(talk, "debate", A, B, B, A)[0] == B
    assert played(talk, "debate", A, B, C, C)[0] == C
    assert played(talk, "debate", A, B, B, B)[0] == B


def test_second_thoughts_without_an_action_count_for_nothing(talk):
    assert played(talk, "debate", A, B, "You are right.", "So are you.")[0] == A
    assert played(talk, "verify", A, "It fits.")[0] == A


def test_a_check_may_change_the_action(talk):
    said, requests = played(talk, "verify", A, f"No: {B}")
    assert said == f"No: {B}"
    assert f"about to answer:\n{A}\n" in requests[1].messages[-1].content


def test_history_keeps_the_last_word_alone(talk):
    model = talk(in_turn(A, f"No: {B}"))
    agent = WorkflowsAgent("verify")
    model.turn(agent)
    model.turn(agent, "next")
    assert [m.content for m in model.requests[2].messages][1:] == [f"No: {B}", "next"]


def test_frozen_from_the_start_it_is_the_agent_with_a_history(talk):
    shown = []
    for agent in (WorkflowsAgent(), HistoryAgent()):
        model = talk(in_turn(A, B))
        agent.begin()
        for text in ("one", "two"):
            model.turn(agent, text)
        shown.append([(request.messages, request.seed) for request in model.requests])
    assert shown[0] == shown[1]


def live(scores, episodes: int, stream) -> list[str]:
    """The workflow of each episode where each has its mean score."""
    life = stream(WorkflowsAgent, lambda prompt: A)
    taken = []
    for episode in range(episodes):
        agent = WorkflowsAgent()
        agent.restore(life.state)
        agent.begin()
        taken.append(agent.workflow)
        life.live(score=float(uniform("score", episode) < scores[agent.workflow]))
        assert life.agent.workflow == taken[-1]
    return taken


def test_every_workflow_is_tried_once_in_order(stream):
    assert live(dict.fromkeys(WORKFLOWS, 0.5), 4, stream) == list(WORKFLOWS)


def test_the_best_workflow_comes_to_be_taken_most(stream):
    taken = live({"single": 0.1, "ensemble": 0.2, "debate": 0.9, "verify": 0.2}, 120, stream)
    assert taken.count("debate") > 60


def test_what_was_learnt_is_told(stream):
    life = stream(WorkflowsAgent, lambda prompt: A)
    assert life.live(score=0.25) == "single scored 0.25; mean 0.25 of 1"
    assert life.live(solved=None) == ""
    assert life.state == {"arms": {"single": [1, 0.25]}, "seen": [0.25, 0.25]}


def test_the_model_is_not_asked_to_learn(stream):
    life = stream(WorkflowsAgent, lambda prompt: A)
    life.live()
    assert life.asked == []


def test_a_placebo_exchanges_the_records():
    state = {"arms": {name: [n, float(n)] for n, name in enumerate(WORKFLOWS, 1)}, "seen": [0.0, 4.0]}
    other = WorkflowsAgent().placebo(state, generator("placebo"))
    assert sorted(other["arms"].values()) == sorted(state["arms"].values())
    WorkflowsAgent().restore(other)


@pytest.mark.parametrize("names", ["", "single single", "dream", ["single", "dream"]])
def test_unknown_workflows_are_refused(names):
    with pytest.raises(UsageError, match="different names of single, ensemble, debate, verify"):
        WorkflowsAgent(names)


def test_a_state_of_another_kind_is_refused():
    with pytest.raises(ValueError, match="no record of rewards"):
        WorkflowsAgent().restore({"tools": []})


@pytest.mark.parametrize("workflows", [tuple(WORKFLOWS), *WORKFLOWS])
def test_it_passes_the_conformance_checks(workflows):
    check_agent(lambda: WorkflowsAgent(workflows))
