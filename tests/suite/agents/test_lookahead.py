from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from finchmark.suite.agents.lookahead import Continuation, LookaheadAgent, best_recurring
from finchmark.suite.backends.base import Completion
from finchmark.suite.conformance import check_agent
from finchmark.suite.errors import UsageError


def way(action: str, outcome: str, value: float | None) -> Continuation:
    return Continuation([], [Completion(f"<action>{action}</action>", finish_reason="stop")], [outcome], value)


def chosen(*ways: Continuation) -> str | None:
    best = best_recurring(ways)
    return None if best is None else best.start[0]


def test_a_continuation_that_stands_alone_does_not_count_however_good():
    assert chosen(way("a", "won", 10), way("b", "on", 2), way("b", "on", 3)) == "b"


def test_the_same_action_with_another_outcome_is_no_recurrence():
    assert chosen(way("a", "on", 9), way("a", "off", 9)) is None


def test_of_recurring_ones_the_best_mean_wins():
    ways = [way("a", "on", 5), way("a", "on", 5), way("b", "on", 9), way("b", "on", 2)]
    assert chosen(*ways, way("b", "on", 7)) == "b"
    assert chosen(*ways) == "b"
    assert chosen(*ways[:3], way("b", "on", 0)) == "a"


def test_equal_means_are_decided_by_size_then_by_order():
    pair = [way("a", "on", 5), way("a", "on", 5)]
    assert chosen(*pair, way("b", "on", 5), way("b", "on", 5)) == "a"
    assert chosen(*pair, way("b", "on", 5), way("b", "on", 5), way("b", "on", 5)) == "b"


def test_values_that_are_not_known_are_left_out_and_none_known_is_worst():
    assert chosen(way("a", "x", None), way("a", "x", None), way("b", "x", 0), way("b", "x", None)) == "b"


def test_dress_does_not_matter():
    assert chosen(way("A", "Bulb 1  is on", 1), way(" a", "bulb 1 is on", 2)) == "a"


class Imagination:
    """Proposes, predicts and rates by a table from the number of the proposal, or the last action."""

    def __init__(self, proposals, outcomes, ratings):
        self.proposals, self.outcomes, self.ratings = list(proposals), outcomes, ratings
        self.kinds = []

    def __call__(self, request):
        asked = request.messages[-1].content
        done = [m.content for m in request.messages if m.role == "assistant"]
        if "predict what will be shown" in asked:
            self.kinds.append("predict")
            return self.outcomes[done[-1]]
        if "How close to the goal" in asked:
            self.kinds.append("rate")
            return self.ratings[done[0]]
        self.kinds.append("act")
        return self.proposals.pop(0) if self.proposals else "<action>on</action>"


A, B = "<action>a</action>", "<action>b</action>"


def test_the_best_recurring_first_action_is_taken(talk):
    mind = Imagination([A, B, B, A], {A: "dark", B: "light"}, {A: "<action>2</action>", B: "It is 8 of 10."})
    model = talk(mind)
    assert model.turn(LookaheadAgent(k=4, depth=1)) == B
    assert mind.kinds == ["act"] * 4 + ["predict"] * 4 + ["rate"] * 4


def test_deeper_continuations_answer_what_was_predicted(talk):
    mind = Imagination([A, B], {A: "dark\nand more", B: "light", "<action>on</action>": "day"}, {A: "1", B: "2"})
    model = talk(mind)
    model.turn(LookaheadAgent(k=2, depth=2))
    second = model.requests[4]
    assert [m.content for m in second.messages[-2:]] == [A, "dark"]
    assert mind.kinds == ["act"] * 2 + ["predict"] * 2 + ["act"] * 2 + ["predict"] * 2 + ["rate"] * 2


def test_where_nothing_recurs_the_first_actions_vote(talk):
    count = iter("abcdefgh")
    mind = Imagination([A, B, B], {A: "x"}, {A: "1", B: "9"})
    mind.outcomes = {A: "x", B: "x"}

    def reply(request):
        return next(count) if "predict" in request.messages[-1].content else mind(request)

    assert talk(reply).turn(LookaheadAgent(k=3, depth=1)) == B


def test_a_reply_without_an_action_is_not_gone_on_with(talk):
    mind = Imagination(["[x]", A, "[x]"], {A: "dark"}, {A: "5"})
    assert talk(mind).turn(LookaheadAgent(k=3, depth=1)) == A
    assert mind.kinds == ["act"] * 3 + ["predict", "rate"]


def test_history_keeps_nothing_that_was_imagined(talk):
    mind = Imagination([A, A], {A: "dark", "<action>on</action>": "day"}, {A: "1", "<action>on</action>": "1"})
    model = talk(mind)
    agent = LookaheadAgent(k=2, depth=1)
    model.turn(agent)
    before = len(model.requests)
    model.turn(agent, "next")
    shown = [m.content for m in model.requests[before].messages]
    assert shown[-2:] == [A, "next"]
    assert not any("dark" in text for text in shown)


def test_seeds_depend_on_the_order_of_asking_alone(talk):
    runs = []
    for _ in range(2):
        model = talk(Imagination([A, B], {A: "x", B: "y", "<action>on</action>": "z"}, {A: "1", B: "1"}))
        model.turn(LookaheadAgent(k=2, depth=2))
        runs.append([request.seed for request in model.requests])
    assert runs[0] == runs[1]
    assert len(set(runs[0])) == len(runs[0]) == 2 * (2 * 2 + 1)


@settings(deadline=None, max_examples=50)
@given(st.lists(st.text(), min_size=1, max_size=9))
def test_any_text_in_any_place_gives_one_of_the_proposals(talk, texts):
    count = iter(range(10**6))
    model = talk(lambda request: texts[next(count) % len(texts)])
    assert isinstance(model.turn(LookaheadAgent(k=3, depth=2)), str)


@pytest.mark.parametrize("arguments", [{"k": 0}, {"depth": 0}, {"k": True}])
def test_bad_arguments_are_refused(arguments):
    with pytest.raises(UsageError, match="lookahead"):
        LookaheadAgent(**arguments)


def test_it_passes_the_conformance_checks():
    check_agent(LookaheadAgent)
