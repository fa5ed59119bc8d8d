from __future__ import annotations

import itertools

import pytest

from finchmark.suite.agents.toolmaker import Toolbox, ToolmakerAgent
from finchmark.suite.agents.tools import Tool
from finchmark.suite.conformance import check_agent
from finchmark.suite.errors import UsageError
from finchmark.suite.seeds import generator

RISE = {
    "name": "rise",
    "parameters": ["a", "b"],
    "expression": "(b - a) / a",
    "purpose": "growth",
    "uses": 0,
    "failures": 0,
}


def with_tools(*tools, **arguments) -> ToolmakerAgent:
    agent = ToolmakerAgent(**arguments)
    agent.restore({"tools": [{**RISE, **tool} for tool in tools]})
    agent.begin()
    return agent


def in_turn(*texts):
    replies = itertools.cycle(texts)
    return lambda request: next(replies)


def test_a_value_is_put_back_and_the_model_asked_again(talk):
    model = talk(in_turn("Let me see. <tool>rise(4, 5)</tool>", "<action>buy</action>"))
    assert model.turn(with_tools({}), "A costs 4, tomorrow 5.") == "<action>buy</action>"
    first, second = model.requests
    assert "rise(a, b) = (b - a) / a  # growth" in first.messages[0].content
    assert second.messages[-1].content == "rise(4, 5) = 0.25\nGo on."
    assert second.messages[-2].content == "Let me see. <tool>rise(4, 5)</tool>"
    assert second.messages[:-2] == first.messages


def test_the_numbers_are_those_of_the_turn(talk):
    model = talk(in_turn("<tool>rise(numbers[0], numbers[1])</tool>", "<action>x</action>"))
    model.turn(with_tools({}), "A costs 4, tomorrow 6.")
    assert "= 0.5\n" in model.requests[1].messages[-1].content


def test_a_failing_call_says_why(talk):
    model = talk(in_turn("<tool>rise(0, 1)</tool>", "<action>x</action>"))
    model.turn(with_tools({}))
    assert "it divides by 0" in model.requests[1].messages[-1].content


def test_a_reply_stops_at_a_call_only_where_there_are_tools(talk):
    for agent, stops in ((with_tools({}), ("</action>", "</tool>")), (ToolmakerAgent(), ("</action>",))):
        model = talk(in_turn("<action>x</action>"))
        model.turn(agent, stop=("</action>",))
        assert model.requests[0].stop == stops


def test_without_tools_it_is_the_agent_with_a_history(talk):
    model = talk(in_turn("<tool>rise(1, 2)</tool>"))
    assert model.turn(ToolmakerAgent()) == "<tool>rise(1, 2)</tool>"
    assert len(model.requests) == 1


def test_after_the_last_round_the_reply_stands(talk):
    model = talk(in_turn("<tool>rise(1, 2)</tool>"))
    assert model.turn(with_tools({}, rounds=2)) == "<tool>rise(1, 2)</tool>"
    assert len(model.requests) == 3


def test_a_reply_with_an_action_calls_nothing(talk):
    model = talk(in_turn("<action>go</action> or <tool>rise(1, 2)</tool>"))
    model.turn(with_tools({}))
    assert len(model.requests) == 1


def test_later_turns_show_the_call_and_its_value(talk):
    model = talk(in_turn("<tool>rise(4, 5)</tool>", "<action>buy</action>"))
    agent = with_tools({})
    model.turn(agent, "first")
    model.turn(agent, "second")
    shown = [m.content for m in model.requests[2].messages]
    assert shown[1:4] == ["<tool>rise(4, 5)</tool>", "rise(4, 5) = 0.25\nGo on.", "<action>buy</action>"]


def making(*definitions, call="<action>red</action>"):
    """A model that acts, and defines tools when it is asked for them."""
    return lambda prompt: "\n".join(definitions) if "Write up to" in prompt else call


def test_what_was_made_in_one_episode_is_there_in_the_next(stream):
    life = stream(ToolmakerAgent, making("tool rise(a, b) = b - a  # how much"))
    assert "Tools that you made" not in life.probe()
    assert life.live() == "made rise(a, b) = b - a  # how much"
    assert "rise(a, b) = b - a  # how much" in life.probe()
    assert "<tool>rise(1, 1)</tool>" in life.probe()


def after_calling(stream, *calls) -> tuple[str, list]:
    """A tool is made, then called in an episode; what learning from that says, and the tools that are left."""
    life = stream(ToolmakerAgent, making("tool inverse(a) = 1 / a"))
    life.live()
    said = itertools.cycle([f"<tool>{call}</tool>" for call in calls])
    life.reply = lambda prompt: "none" if "Write up to" in prompt else next(said)
    return life.live(), life.state["tools"]


def test_calls_are_counted_when_the_episode_was_learnt_from(stream):
    # Two turns of three rounds each, and the replies that stand.
    told, (tool,) = after_calling(stream, "inverse(2)", "inverse(0)", "inverse(4)", "none()")
    assert told == "counted calls of inverse"
    assert (tool["uses"], tool["failures"]) == (6, 2)


def test_a_tool_that_mostly_failed_is_dropped(stream):
    told, tools = after_calling(stream, "inverse(0)")
    assert told == "counted calls of inverse; dropped inverse, whose calls mostly failed"
    assert tools == []


def test_an_episode_that_teaches_nothing_changes_nothing(stream):
    life = stream(ToolmakerAgent, making("I have no idea.", "tool broken(a) = b"))
    before = life.state
    assert life.live() == ""
    assert life.state == before


def test_a_new_expression_takes_the_place_of_the_old_and_counts_anew(stream):
    life = stream(ToolmakerAgent, making("tool rise(a, b) = b - a"))
    life.live()
    life.reply = making("tool rise(a, b) = b / a")
    assert life.live().startswith("rewrote rise")
    assert [tool["expression"] for tool in life.state["tools"]] == ["b / a"]
    assert life.live() == ""


def test_of_too_many_the_least_used_goes(talk, stream):
    kept = [
        {"name": "one", "uses": 5},
        {"name": "two", "uses": 9, "failures": 1},
        {"name": "three", "uses": 6, "failures": 3},
    ]
    life = stream(lambda: ToolmakerAgent(most=3), making("tool four(a) = a"))
    life.state = {"tools": [{**RISE, **tool} for tool in kept]}
    assert "dropped three, the least used" in life.live()
    assert [tool["name"] for tool in life.state["tools"]] == ["one", "two", "four"]


def test_no_more_are_taken_up_than_allowed(stream):
    life = stream(lambda: ToolmakerAgent(made=1), making("f(a) = a", "g(a) = a + 1"))
    life.live()
    assert [tool["name"] for tool in life.state["tools"]] == ["f"]


def test_the_memory_keeps_to_its_cap_and_always_says_how_to_call():
    tools = [Tool(name=f"tool{i}", parameters=("a",), expression="a + " + "1 + " * 20 + "1") for i in range(8)]
    agent = ToolmakerAgent(cap=500)
    agent.state = Toolbox(tools=tuple(tools))
    text = agent.memory(None)
    assert len(text) <= 500
    assert "tool0(a)" in text
    assert "<tool>tool0(1)</tool>" in text
    assert "tool7" not in text


def test_a_question_beside_the_episode_counts_no_calls(talk):
    model = talk(in_turn("<tool>rise(4, 5)</tool>", "<action>x</action>"))
    agent = with_tools({})
    model.turn(agent)
    model.turn(agent.fork(), "A question.")
    assert agent._calls == {"rise": (1, 0)}


def test_a_placebo_has_tools_as_long_that_are_worth_nothing(talk):
    state = {"tools": [RISE, {**RISE, "name": "x", "expression": "a", "parameters": ["a"]},
                       {**RISE, "name": "long_one", "expression": "a + b + 12345", "purpose": "a # b"}]}  # fmt: skip
    agent = ToolmakerAgent()
    blank = agent.placebo(state, generator("placebo"))
    agent.restore(blank)
    for old, new in zip(state["tools"], agent.snapshot()["tools"], strict=True):
        assert len(new["expression"]) == len(old["expression"])
        assert len(new["purpose"]) == len(old["purpose"])
        assert len(new["parameters"]) == len(old["parameters"])
        assert not {"rise", "long_one", "growth"} & {new["name"], new["purpose"]}
    name = blank["tools"][0]["name"]
    agent.begin()
    model = talk(in_turn(f"<tool>{name}(4, 5)</tool>", "<action>x</action>"))
    model.turn(agent)
    assert "= 0\n" in model.requests[1].messages[-1].content


@pytest.mark.parametrize(
    "state",
    [
        {"tools": [{**RISE, "expression": "open('x')"}]},
        {"tools": [{**RISE, "name": "max"}]},
        {"tools": 1},
        {"x": 1},
        [],
    ],
)
def test_a_state_that_is_none_or_hostile_is_refused(state):
    with pytest.raises(ValueError, match="Toolbox"):
        ToolmakerAgent().restore(state)


@pytest.mark.parametrize("arguments", [{"most": 0}, {"made": 0}, {"rounds": 0}, {"cap": 10}])
def test_bad_arguments_are_refused(arguments):
    with pytest.raises(UsageError, match="toolmaker"):
        ToolmakerAgent(**arguments)


def test_it_passes_the_conformance_checks():
    check_agent(ToolmakerAgent)
