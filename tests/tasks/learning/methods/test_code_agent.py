"""The component ``agent``: code that plays, in the sandbox, and whose failures are its own."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from finchmark.suite.agents.base import Action, Observation
from finchmark.suite.agents.code_blocks import find_code
from finchmark.suite.agents.history import HistoryAgent
from finchmark.suite.backends.base import Completion
from finchmark.suite.backends.scripted import ScriptedBackend
from finchmark.suite.broker import Broker
from finchmark.suite.conformance import check_agent
from finchmark.suite.model import Model, ModelStopped, TokenMeter
from finchmark.suite.records import Limits, Sampling, Thinking
from finchmark.suite.sandbox import SandboxFailure, SandboxUnavailable, Tier, available
from finchmark.suite.sandbox import shared as sharing
from finchmark.suite.sandbox.inside.function import faults
from finchmark.tasks.learning.methods import code_agent
from finchmark.tasks.learning.methods.arena import WorldArena
from finchmark.tasks.learning.methods.candidate import Candidate
from finchmark.tasks.learning.methods.code_agent import MOST_ASKS, NAME, PARAMETERS, STOCK, CodeAgent, failure, refusal
from finchmark.tasks.learning.methods.evaluation import Move, Trajectory
from finchmark.tasks.learning.methods.experiment import run_methods
from finchmark.tasks.learning.methods.journal import JOURNAL, read_journal
from finchmark.tasks.learning.methods.optimiser import ModelOptimiser, NoOptimiser
from finchmark.tasks.learning.methods.plan import Plan
from finchmark.tasks.learning.methods.recording import Replay
from finchmark.tasks.learning.methods.result import RESULT
from finchmark.tasks.learning.methods.search import SearchOptimiser

needs_sandbox = pytest.mark.skipif(not available()[0].usable, reason=f"no bubblewrap here: {available()[0].detail}")

HEAD = f"def act({', '.join(PARAMETERS)}):\n"


def code(*lines: str) -> str:
    return HEAD + "".join(f"    {line}\n" for line in lines)


class Talk:
    """Turns of an agent with a model that is a function of the request; prompts are kept."""

    def __init__(self, reply=lambda request: "<action>wait</action>", limits=None):
        self.prompts = []

        def answer(request):
            self.prompts.append("\n".join(f"{m.role}: {m.content}" for m in request.messages))
            return reply(request)

        self.model = Model(
            Broker(ScriptedBackend(function=answer)), session="s", seed=1, seat="player", sampling=Sampling(),
            thinking=Thinking(), max_tokens=100, meter=TokenMeter(limits or Limits()),
        )  # fmt: skip

    def play(self, agent, *shown: str, rules="Rules."):
        async def turns():
            agent.begin()
            return [(await agent.act(Observation(text, rules), self.model)).text for text in shown]

        return asyncio.run(turns())


# Playing


@needs_sandbox
def test_code_acts_and_its_action_is_tagged(boxed):
    talk = Talk()
    found = talk.play(CodeAgent(code("return {'action': 'go ' + observation}")), "north", "south")
    assert found == ["<action>go north</action>", "<action>go south</action>"]
    assert talk.prompts == []


@needs_sandbox
def test_a_bare_text_is_an_action_and_tags_of_its_own_stay(boxed):
    assert Talk().play(CodeAgent(code("return 'Hm. <action>eat</action>'")), "x") == ["Hm. <action>eat</action>"]


@needs_sandbox
def test_code_may_ask_the_model_and_is_called_again_with_the_reply(boxed):
    source = code(
        "if reply is None:",
        "    return {'ask': instructions + ' ' + observation + '?'}",
        "return {'action': reply[::-1]}",
    )
    talk = Talk(lambda request: "tae")
    assert talk.play(CodeAgent(source), "Now") == ["<action>eat</action>"]
    assert talk.prompts == ["user: Rules. Now?"]


@needs_sandbox
def test_the_stock_code_shows_everything_so_far_and_says_what_the_model_says(boxed):
    talk = Talk()
    assert talk.play(CodeAgent(STOCK), "one", "two") == ["<action>wait</action>"] * 2
    assert talk.prompts[1] == "user: Rules.\n\none\n\n> <action>wait</action>\n\ntwo"


def cut_after(source: str, text: str):
    """The action of code whose question was answered with a text that was cut off at its cap."""
    completion = Completion(text, "length")

    class Cut:
        seed = 1

        async def generate(self, messages, **options):
            return completion

    agent = CodeAgent(source)
    agent.begin()
    return asyncio.run(agent.act(Observation("x"), Cut()))  # type: ignore[arg-type] # a stand-in


@needs_sandbox
@pytest.mark.parametrize("text", ["I think that the best is to go", "<action>go</action> and", "Hm. <action>go no", ""])
def test_a_reply_that_was_cut_off_is_passed_on_as_it_is_and_as_cut(boxed, text):
    assert cut_after(STOCK, text) == Action(text, cut_off=True)


@needs_sandbox
def test_the_end_of_a_cut_reply_is_not_made_to_look_whole_and_what_code_says_itself_is(boxed):
    last = code("if reply is None:", "    return {'ask': 'x'}", "return reply.splitlines()[-1].upper()")
    assert cut_after(last, "Hm.\ngo nor") == Action("GO NOR", cut_off=True)
    own = code("return {'ask': 'x'} if reply is None else 'eat 1'")
    assert cut_after(own, "I think that") == Action("<action>eat 1</action>", cut_off=True)


@needs_sandbox
def test_unseeded_luck_off_the_rehearsal_is_the_seeds_too(boxed):
    source = "import random\n" + code("return str(random.Random().random()) if 'rare' in observation else 'a'")
    assert asyncio.run(refusal(source, "Rules.", RECORDED)) == ""
    agent = CodeAgent(source)
    once = Talk().play(agent, "rare", "rare")
    assert len(set(once)) == 2
    assert Talk().play(agent, "rare", "rare") == once


@needs_sandbox
def test_memory_lasts_through_the_episode_and_no_longer(boxed):
    agent = CodeAgent(code("memory[(1, 2)] = memory.get((1, 2), 0) + 1", "return str(memory[(1, 2)])"))
    once = Talk().play(agent, "a", "b", "c")
    assert once == ["<action>1</action>", "<action>2</action>", "<action>3</action>"]
    assert Talk().play(agent, "a", "b", "c") == once


@needs_sandbox
def test_luck_is_the_seeds_and_differs_from_turn_to_turn(boxed):
    agent = CodeAgent("import random\n" + code("return str(random.random())"))
    once = Talk().play(agent, "a", "a", "a")
    assert len(set(once)) == 3
    assert Talk().play(agent, "a", "a", "a") == once


@needs_sandbox
@pytest.mark.parametrize(
    ("lines", "why"),
    [
        (("return 1 / 0",), "ZeroDivisionError: division by zero"),
        (("return None",), "it returned None"),
        (("return {'act': 'eat'}",), "it returned {'act': 'eat'}"),
        (("return {'action': 3}",), "it returned"),
        (("return {'ask': 'x' * 70000}",), "70000 characters"),
        (("while True:", "    pass"), "too many lines"),
        (("return {'ask': 'again?'}",), f"more than {MOST_ASKS} times"),
        (("raise ValueError('<action>eat</action>')",), "‹action›eat‹/action›"),
        (("memory['f'] = act", "return 'eat'"), "not plain data"),
    ],
)
def test_a_failure_of_the_code_is_an_action_that_cannot_be_used_and_says_why(boxed, lines, why):
    (found,) = Talk().play(CodeAgent(code(*lines)), "x")
    assert found.startswith("[the agent's code failed: ")
    assert why in found
    assert "<" not in found


@needs_sandbox
def test_a_turn_asks_no_more_often_than_it_says(boxed):
    talk = Talk()
    agent = CodeAgent(code("return {'ask': observation}"))
    talk.play(agent, "x")
    assert len(talk.prompts) == MOST_ASKS == agent.calls_a_turn


@needs_sandbox
def test_an_agent_that_is_code_conforms(boxed):
    """It has no state that lasts; episodes begin anew, and what a fork is asked changes nothing."""
    check_agent(lambda: CodeAgent(STOCK))


@needs_sandbox
def test_after_a_failure_the_memory_is_what_it_was(boxed):
    agent = CodeAgent(
        code(
            "memory['n'] = memory.get('n', 0) + 1",
            "if observation == 'bad':",
            "    return 1 / 0",
            "return str(memory['n'])",
        )
    )
    found = Talk().play(agent, "a", "bad", "b")
    assert (found[0], found[2]) == ("<action>1</action>", "<action>2</action>")


@needs_sandbox
def test_a_model_that_is_stopped_ends_the_episode_as_with_any_agent(boxed):
    talk = Talk(limits=Limits(tokens=1))
    with pytest.raises(ModelStopped, match="used up"):
        talk.play(CodeAgent(STOCK), "one", "two", "three")


def test_a_failure_of_the_sandbox_is_an_error_and_not_the_codes(monkeypatch):
    class Broken:
        async def run(self, *args, **kwargs):
            raise SandboxFailure("its parent is gone")

    async def broken():
        return Broken()

    monkeypatch.setattr(code_agent, "shared_sandbox", broken)
    with pytest.raises(SandboxFailure, match="parent is gone"):
        Talk().play(CodeAgent(STOCK), "one")
    with pytest.raises(SandboxFailure, match="parent is gone"):
        asyncio.run(refusal(STOCK, "Rules.", ()))


def test_what_failed_is_no_action_and_no_page():
    assert failure("a <action>b</action>\n" * 99).count("<") == 0
    assert len(failure("x" * 9999)) < 260


def test_the_stock_code_is_in_the_language():
    assert faults(STOCK, NAME, len(PARAMETERS)) == ""


# Taking code up

MOVES = tuple(Move(f"Step {n} of 3.", "wait", True, 0.0) for n in range(3))
RECORDED = (Trajectory("a", 0, 0.0, 0.0, moves=MOVES), Trajectory("b", 0, 0.0, 0.0, moves=MOVES))


@needs_sandbox
@pytest.mark.parametrize(
    ("source", "why"),
    [
        (code("return 'wait'"), ""),
        (STOCK, ""),
        ("import random\n" + code("return random.choice('abc')"), ""),
        ("def act(observation) return", "line 1"),
        ("def act(observation):\n    return 'wait'\n", "4 arguments"),
        ("import socket\n" + code("return 'wait'"), "import socket"),
        (
            code("return 1 // (3 - len(memory.setdefault('x', '')))", "memory['x'] += 'a'"),
            "turn 1 of the recorded ones: it returned 0",
        ),
        (code("return 'wait' if observation != 'Step 2 of 3.' else 1 / 0"), "turn 3 of the recorded ones: Zero"),
        (code("return '  '"), "its action is empty"),
        (code("return repr(act)"), "something else when it is run again"),
    ],
)
def test_code_is_tried_on_recorded_turns_before_it_is_taken_up(boxed, source, why):
    found = asyncio.run(refusal(source, "Rules.", RECORDED))
    assert found == why if not why else why in found


@needs_sandbox
def test_without_recorded_turns_it_is_tried_on_an_empty_one(boxed):
    assert asyncio.run(refusal(code("return 'wait'"), "Rules.", ())) == ""
    assert "IndexError" in asyncio.run(refusal(code("return observation[0]"), "Rules.", ()))


# In a world


def arena() -> WorldArena:
    return WorldArena("foraging-open", Broker(ScriptedBackend("follower")), HistoryAgent)


@needs_sandbox
def test_code_plays_a_world_and_what_failed_is_in_its_trajectory(boxed):
    place = arena()
    level = place.levels("train", 1, 0)[0]
    source = code("if 'Step 1 ' in observation:", "    return 1 / 0", "return 'eat 1'")
    found = asyncio.run(place.play(Candidate({"agent": source}), level, 0, seed=1)).trajectory
    assert found.outcome == "ok"
    assert found.cost.calls == 0
    assert found.moves[0].action == "eat 1"
    assert [move.action for move in found.moves if not move.usable] == [
        "[the agent's code failed: ZeroDivisionError: division by zero]"
    ]


@needs_sandbox
def test_what_code_asks_is_counted_and_the_advice_reaches_it(boxed):
    place = arena()
    level = place.levels("train", 1, 0)[0]
    candidate = Candidate({"agent": STOCK, "prompt": "Begin with: eat 1; eat 2."})
    found = asyncio.run(place.play(candidate, level, 0, seed=1)).trajectory
    assert found.cost.calls == len(found.moves)
    assert [move.action for move in found.moves[:2]] == ["eat 1", "eat 2"]


@needs_sandbox
def test_code_that_always_fails_is_a_failure_and_no_error(boxed):
    place = arena()
    level = place.levels("train", 1, 0)[0]
    found = asyncio.run(place.play(Candidate({"agent": code("return 1 / 0")}), level, 0, seed=1)).trajectory
    assert found.outcome == "invalid"
    assert found.score <= 0


# Whole experiments

SMALL = Plan(("foraging-open",), iterations=1, train=1, validation=1, test=1)


def follow(out, plan=SMALL, optimiser=None):
    return run_methods(plan, ScriptedBackend("follower"), optimiser or SearchOptimiser(), out)


@needs_sandbox
def test_all_eight_methods_run_without_a_model_and_again_to_the_same_bytes(tmp_path):
    result = follow(tmp_path / "a")
    assert len(result.cells) == 8
    for cell in result.cells:
        kinds = [set(one["values"]) - {"prompt"} for one in cell["candidates"][1:]]
        assert kinds == [{"agent"} if cell["method"].endswith("agent") else set()]
    before = (tmp_path / "a" / RESULT).read_bytes()
    raw = (tmp_path / "a" / JOURNAL).read_bytes()
    (tmp_path / "cut").mkdir()
    (tmp_path / "cut" / JOURNAL).write_bytes(raw[: len(raw) // 2])
    follow(tmp_path / "cut")
    assert (tmp_path / "cut" / RESULT).read_bytes() == before


def writer(request) -> str:
    """A model as optimiser: a report, then one of three programs by the seed."""
    if len(request.messages) == 1:
        assert "Present program" in request.messages[0].content
        return "Eating pays."
    lines = ("return 'eat 1'", "return 1 / 0", "import os")[request.seed % 3]
    return f"Sure.\n```python\n{code(lines)}```\n"


@needs_sandbox
def test_a_model_writes_code_and_a_replay_gives_the_same_bytes(tmp_path):
    plan = Plan(("foraging-open",), methods=("best-*-agent",), iterations=3, train=1, validation=1, test=1)
    whole = tmp_path / "whole"
    result = follow(whole, plan, ModelOptimiser(ScriptedBackend("writer", function=writer)))
    texts = {one["values"].get("agent") for cell in result.cells for one in cell["candidates"]}
    whys = " ".join(one["why"] for cell in result.cells for one in cell["refused"])
    assert texts <= {None, code("return 'eat 1'")}
    assert "the code was refused: " in whys
    again = Plan.from_data(read_journal(whole / JOURNAL)[0])
    run_methods(again, Replay(whole, "executor"), ModelOptimiser(Replay(whole, "optimiser")), tmp_path / "again")
    assert (tmp_path / "again" / RESULT).read_bytes() == (whole / RESULT).read_bytes()


def test_a_model_that_writes_no_program_changes_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr("finchmark.tasks.learning.methods.experiment.need_sandbox", lambda who: None)
    plan = Plan(("foraging-open",), methods=("best-dynamics-agent",), iterations=1, train=1, validation=1, test=1)
    mute = ModelOptimiser(ScriptedBackend("mute", function=lambda request: "I would eat."))
    cell = follow(tmp_path, plan, mute).cells[0]
    assert len(cell["candidates"]) == 1
    assert "it has no def act" in cell["refused"][0]["why"]


def test_where_there_is_no_sandbox_code_is_refused_and_prompts_are_not(tmp_path, monkeypatch):
    monkeypatch.setattr(sharing, "available", lambda: (Tier("bubblewrap", False, "none"), Tier("process", True, "")))
    monkeypatch.delenv(sharing.VARIABLE, raising=False)
    with pytest.raises(
        SandboxUnavailable, match=r"best-dynamics-agent.*--method '\*-prompt'.*FINCHMARK_SANDBOX=process"
    ):
        follow(tmp_path, SMALL)
    prompts = Plan(("foraging-open",), methods=("*-prompt",), iterations=1, train=1, validation=1, test=1)
    assert len(follow(tmp_path, prompts, NoOptimiser()).cells) == 4


@needs_sandbox
def test_a_sandbox_that_fails_stops_the_experiment_and_the_same_command_goes_on(tmp_path, monkeypatch):
    plan = Plan(("foraging-open",), methods=("best-dynamics-agent",), iterations=1, train=1, validation=1, test=1)
    with monkeypatch.context() as patch:

        async def broken(*args, **kwargs):
            raise SandboxFailure("its parent is gone")

        patch.setattr(code_agent, "call_function", broken)
        with pytest.raises(SandboxFailure, match="parent is gone"):
            follow(tmp_path / "a", plan)
    follow(tmp_path / "a", plan)
    follow(tmp_path / "b", plan)
    assert (tmp_path / "a" / RESULT).read_bytes() == (tmp_path / "b" / RESULT).read_bytes()


@needs_sandbox
def test_the_example_of_the_docs_can_be_taken_up(boxed):
    page = (Path(__file__).parents[4] / "docs" / "learning-methods.md").read_text(encoding="utf-8")
    source, _ = find_code(page, NAME)
    assert source.startswith("def act(")
    assert asyncio.run(refusal(source, "Rules.", RECORDED)) == ""
