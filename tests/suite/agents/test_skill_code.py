"""Skills that are programs: taken up, run and dropped in the sandbox, and refused where there is none."""

from __future__ import annotations

import asyncio
import json

import pytest

from finchmark.suite import conformance
from finchmark.suite.agents import skill_code
from finchmark.suite.agents.experience import Experience, Feedback
from finchmark.suite.agents.skills import CodeSkill, SkillsAgent, parse_code_skill
from finchmark.suite.canonical import canonical_json, content_hash
from finchmark.suite.conformance import check_agent
from finchmark.suite.errors import UsageError
from finchmark.suite.sandbox import SandboxFailure, SandboxUnavailable, Tier, available
from finchmark.suite.sandbox import shared as sharing
from finchmark.suite.sandbox.inside.function import faults
from finchmark.suite.seeds import generator

needs_sandbox = pytest.mark.skipif(not available()[0].usable, reason=f"no bubblewrap here: {available()[0].detail}")


KNOCK = """
def suggest(observation):
    if "door" not in observation:
        raise ValueError("no door")
    return "knock at the " + observation.split(" a ")[1].split()[0] + " one"
"""


def answer(source=KNOCK, name="knock", when="the door is red"):
    return f"NAME: {name}\nWHEN: {when}\n```python{source}```"


def model(text=""):
    text = text or answer()
    return lambda prompt: text if "Write down what you did" in prompt else "<action>red</action>"


def coded():
    return SkillsAgent(form="code")


def test_where_there_is_no_boundary_it_refuses_and_names_the_ways_out(monkeypatch):
    tiers = (Tier("bubblewrap", False, "not installed: install bubblewrap"), Tier("process", True, ""))
    monkeypatch.setattr(sharing, "available", lambda: tiers)
    monkeypatch.delenv(sharing.VARIABLE, raising=False)
    with pytest.raises(
        SandboxUnavailable, match=r"form=code: code that.*install bubblewrap.*FINCHMARK_SANDBOX=process"
    ):
        coded()
    SkillsAgent()


def test_another_form_is_refused():
    with pytest.raises(UsageError, match="text or code"):
        SkillsAgent(form="poem")


@needs_sandbox
def test_a_program_is_kept_and_what_it_says_of_a_turn_is_shown_under_it(stream):
    life = stream(coded, model())
    assert life.live() == "wrote the skill 'knock': a program"
    (skill,) = life.state["skills"]
    assert skill == {
        "name": "knock", "when": "the door is red", "how": KNOCK.lstrip(), "shown": 0, "solved": 0,
        "runs": 0, "failures": 0,
    }  # fmt: skip
    shown = life.probe("green")
    assert "Turn 0: a green door.\n\nYour skills suggest:\n- knock: knock at the green one" in shown
    assert "Turn 1: a green door.\n\nYour skills suggest:\n- knock: knock at the green one" in shown
    assert "knock\nWhen: the door is red" in shown
    assert "def suggest" not in shown
    assert life.live(solved=False).startswith("counted 1 skills")
    assert life.state["skills"][0]["runs"] == 2


@needs_sandbox
def test_a_program_that_fails_on_its_own_episode_is_refused_and_counted(stream, boxed):
    life = stream(coded, model(answer(KNOCK.replace('"door" not', '"Turn 1" '))))
    assert life.live() == "refused a program: turn 2: ValueError: no door"
    assert life.state == {"skills": [], "refused": 1}


@needs_sandbox
@pytest.mark.parametrize(
    ("source", "why"),
    [
        ("def suggest(observation):\n    return 3\n", "turn 1: it returned a int, not a text"),
        ("def suggest(observation):\n    return ''\n", "nothing to say"),
        ("def suggest(observation):\n    return '%s' % suggest\n", "something else when it is run again"),
        ("def suggest(observation):\n    while True:\n        pass\n", "turn 1: it ran too many lines"),
        ("import os\ndef suggest(observation):\n    return 'a'\n", "import os"),
        ("def suggest(observation) return", "line 1"),
        ("def suggest(a, b):\n    return a\n", "1 arguments"),
        ("def suggest(observation):\n    return 'a'\n" + "#" * 2000, "over 2000"),
        ("def suggest(observation):\n    return 'look: ' + observation\n", ""),
    ],
)
def test_what_is_not_taken_up_is_told(source, why, boxed):
    found = asyncio.run(skill_code.refusal(source, ["Turn 1: a lamp.", "Turn 2: a lamp."]))
    assert found == why if not why else why in found


@needs_sandbox
def test_a_skill_that_fails_later_says_nothing_and_goes_in_the_end(stream, boxed):
    life = stream(coded, model())
    life.live()
    life.state["skills"][0]["how"] = "def suggest(observation):\n    return 1 / 0\n"
    assert "suggest:" not in life.probe()
    life.live(solved=False)
    assert (life.state["skills"][0]["runs"], life.state["skills"][0]["failures"]) == (2, 2)
    assert "whose runs mostly failed" in life.live(solved=False)
    assert life.state["skills"] == []


@needs_sandbox
def test_only_what_one_line_holds_is_shown_of_what_a_skill_says(boxed):
    source = "def suggest(observation):\n    return 'a\\n\\nuser: b' + 'c' * 999\n"
    ((text, fault),) = asyncio.run(skill_code.say([source], "x"))
    assert text.startswith("a user: bc")
    assert len(text) <= skill_code.MOST_SAID
    assert fault == ""


@needs_sandbox
def test_a_failure_of_the_sandbox_is_an_error_and_no_failure_of_the_skill(stream, monkeypatch):
    life = stream(coded, model())
    life.live()

    class Broken:
        async def run(self, *args, **kwargs):
            raise SandboxFailure("its parent is gone")

    async def broken():
        return Broken()

    monkeypatch.setattr(skill_code, "shared_sandbox", broken)
    before = content_hash(life.state)
    with pytest.raises(SandboxFailure, match="parent is gone"):
        life.probe()
    agent = coded()
    agent.restore(life.state)
    experience = Experience("s", "t", 9, "", (), "", Feedback(1.0, True))
    with pytest.raises(SandboxFailure):
        asyncio.run(agent.learn(experience, life._model([])))
    assert content_hash(agent.snapshot()) == before


@needs_sandbox
def test_the_same_program_again_keeps_its_runs_and_another_begins_anew(stream, boxed):
    life = stream(coded, model())
    life.live()
    assert life.live() == "counted 1 skills that were shown"
    assert life.state["skills"][0]["runs"] == 2
    life.reply = model(answer(KNOCK.replace("knock at", "tap")))
    assert life.live() == "counted 1 skills that were shown; rewrote the skill 'knock' as 'knock'"
    assert [life.state["skills"][0][key] for key in ("shown", "runs")] == [2, 0]


@needs_sandbox
def test_a_fork_counts_its_own_runs(stream, boxed):
    life = stream(coded, model())
    life.live()
    life.probe()
    other = life.agent.fork()
    other._ran["knock"] = (9, 9)
    assert life.agent._ran == {"knock": (2, 0)}


@needs_sandbox
def test_the_placebo_is_as_long_runs_and_says_nothing_of_the_task(stream, boxed):
    life = stream(coded, model())
    life.live()
    blank = json.loads(canonical_json(coded().placebo(life.state, generator("test"))))
    (old,), (new,) = life.state["skills"], blank["skills"]
    assert [len(new[key]) for key in ("name", "when", "how")] == [len(old[key]) for key in ("name", "when", "how")]
    life.state = blank
    shown = life.probe("green")
    assert "Your skills suggest:\n- " in shown
    assert "knock" not in shown


@pytest.mark.parametrize("size", [41, 50, 53, 54, 55, 56, 57, 90, 2000])
def test_a_blank_program_is_in_the_language_and_of_its_size(size):
    source = skill_code.blank_source(size, generator("blank", size))
    assert faults(source, "suggest", 1) == ""
    assert len(source) == size


@pytest.mark.parametrize(
    "text",
    [
        "",
        "NAME: knock\nWHEN: it is red\nHOW: knock",
        f"NAME: knock\n```python{KNOCK}```",
        f"WHEN: it is red\n```python{KNOCK}```",
        KNOCK,
    ],
)
def test_without_a_name_a_when_and_a_program_there_is_no_skill(text):
    assert parse_code_skill(text, 400) is None


def test_fields_may_stand_on_either_side_of_the_program():
    found = parse_code_skill(f"**Name:** knock\nHOW: below\n```python{KNOCK}```\nWHEN: it is red", 400)
    assert found == CodeSkill(name="knock", when="it is red", how=KNOCK.lstrip())


def test_the_example_is_a_skill_of_the_language():
    found = parse_code_skill(skill_code.EXAMPLE, 400)
    assert found is not None
    assert faults(found.how, "suggest", 1) == ""


@needs_sandbox
@pytest.mark.slow
def test_it_conforms_when_programs_are_among_the_answers(monkeypatch, boxed):
    """Of programs that work, that fail later, and that are none: the checker's own answers hold no program."""
    works = answer("\ndef suggest(observation):\n    return observation[:20]\n", "look", "a lamp is on")
    breaks = answer(
        "\ndef suggest(observation):\n    return 'a' * (1 // (8 - len(observation) % 9))\n", "count", "it costs"
    )
    monkeypatch.setattr(conformance, "_ANSWERS", (works, breaks, answer("\nimport os\n"), "no idea", answer()))
    check_agent(coded)


@pytest.mark.skipif(not available()[1].usable, reason="the sandbox needs Linux")
def test_the_tier_without_a_boundary_serves_when_it_is_named(monkeypatch):
    monkeypatch.setenv(sharing.VARIABLE, "process")
    coded()
    assert asyncio.run(skill_code.refusal(KNOCK, ["Turn 0: a red door."])) == ""
    assert asyncio.run(skill_code.say([KNOCK], "Turn 0: a red door.")) == [("knock at the red one", "")]
