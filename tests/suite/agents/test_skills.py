import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from finchmark.suite.agents.base import Observation
from finchmark.suite.agents.experience import Experience, Feedback
from finchmark.suite.agents.skills import Skill, SkillsAgent, parse_skill

RED = "NAME: knock\nWHEN: the door is red\nHOW: knock twice, then wait"


def model(skill=RED):
    return lambda prompt: skill if "Write down what you did" in prompt else "<action>red</action>"


def test_the_second_episode_shows_the_skill_of_the_first(stream):
    life = stream(SkillsAgent, model())
    assert life.live() == "wrote the skill 'knock': knock twice, then wait"
    shown = life.probe()
    assert "worked in earlier episodes:\nknock\nWhen: the door is red\nHow: knock twice, then wait" in shown


def test_a_failed_episode_writes_no_skill(stream):
    life = stream(SkillsAgent, model())
    assert life.live(solved=False) == ""
    assert life.asked == []


def test_use_is_counted_and_so_is_success(stream):
    life = stream(SkillsAgent, model())
    life.live()
    assert life.live(solved=False) == "counted 1 skills that were shown"
    life.reply = model("")
    life.live(solved=True)
    (skill,) = life.state["skills"]
    assert (skill["shown"], skill["solved"]) == (2, 1)


def test_what_was_shown_in_another_episode_is_not_counted(stream):
    life = stream(SkillsAgent, model())
    life.live()
    life.probe()
    before = life.agent.snapshot()
    life.agent.begin()
    asyncio.run(life.agent.learn(Experience("s", "t", 9, "", (), "", Feedback(0.0, False)), None))
    assert life.agent.snapshot() == before


def test_the_skill_that_fits_is_looked_up(stream):
    life = stream(lambda: SkillsAgent(examples=1), model())
    life.live("red")
    life.reply = model("NAME: push\nWHEN: the door is green\nHOW: push with both hands")
    life.live("green")
    assert "knock twice" in life.probe("red")
    assert "push with" in life.probe("green")
    assert "push with" not in life.probe("red")


def test_a_skill_of_the_same_name_is_rewritten_and_keeps_its_counters(stream):
    life = stream(SkillsAgent, model())
    life.live()
    life.reply = model("NAME: Knock\nWHEN: it is red and wooden\nHOW: knock three times")
    assert life.live() == "counted 1 skills that were shown; rewrote the skill 'knock' as 'Knock'"
    assert life.state["skills"] == [
        {"name": "Knock", "when": "it is red and wooden", "how": "knock three times", "shown": 1, "solved": 1}
    ]


def test_a_skill_of_the_same_description_is_rewritten(stream):
    life = stream(SkillsAgent, model())
    life.live()
    life.reply = model("NAME: tap\nWHEN: the door is red\nHOW: tap it")
    life.live()
    assert [skill["name"] for skill in life.state["skills"]] == ["tap"]


def test_the_least_useful_goes_when_the_library_is_full():
    agent = SkillsAgent(most=2)
    old = (
        Skill(name="a", when="in rain", how="walk", shown=9, solved=3),
        Skill(name="b", when="at noon", how="rest", shown=2, solved=2),
    )
    left, words = agent._with(old, Skill(name="c", when="by night", how="sleep"))
    assert [skill.name for skill in left] == ["b", "c"]
    assert words[-1] == "dropped the skill 'a'"


def test_names_stay_unique():
    agent = SkillsAgent()
    old = (Skill(name="a", when="the sky is dark", how="walk"), Skill(name="b", when="at noon", how="rest"))
    left, _ = agent._with(old, Skill(name="b", when="the sky is dark", how="run"))
    assert [skill.name for skill in left] == ["a", "b"]
    assert left[1].how == "run"


def test_an_answer_without_fields_is_all_how():
    skill = parse_skill("Knock twice and wait for a while.", 400)
    assert skill.how == "Knock twice and wait for a while."
    assert skill.name == "Knock twice and wait for a while"


def test_fields_are_read_through_marks_and_over_lines():
    skill = parse_skill("Sure!\n**Name:** knock\n- WHEN: it is red\n3. How: knock\n   then wait", 400)
    assert (skill.name, skill.when, skill.how) == ("knock", "it is red", "knock then wait")


ECHO = "NAME: its name\nWHEN: in what situation it helps\nHOW: what to do, step by step, in one line"


@pytest.mark.parametrize("answer", ["", " \n ", "NAME:", "NAME: knock", "WHEN: it is red", ECHO])
def test_nothing_to_do_is_no_skill(answer):
    assert parse_skill(answer, 400) is None


@settings(max_examples=200)
@given(
    st.lists(st.one_of(st.sampled_from(["NAME:", "WHEN:", "HOW:", "\n", "how"]), st.text(max_size=80))).map(" ".join),
    st.integers(100, 500),
)
def test_no_answer_raises_and_a_skill_fits_its_room(answer, room):
    skill = parse_skill(answer, room)
    if skill is not None:
        assert len(f"{skill.name}\nWhen: {skill.when}\nHow: {skill.how}") <= room


@settings(max_examples=20)
@given(st.text(max_size=600), st.integers(1, 3), st.integers(400, 900))
def test_the_memory_is_never_over_its_cap(stream, text, examples, cap):
    count = iter(range(1000))
    life = stream(
        lambda: SkillsAgent(examples=examples, cap=cap, most=3),
        lambda prompt: f"NAME: {next(count)} {text}\nWHEN: {text}\nHOW: {text}",
    )
    for _ in range(5):
        life.live(after=text)
    assert len(life.state["skills"]) <= 3
    assert len(life.agent.memory(Observation(text, text))) <= cap
