import re
from dataclasses import replace
from pathlib import Path

import pytest

import finchmark.environments as environments
import finchmark.tasks as tasks
from finchmark.suite.agents.cheatsheet import CheatsheetAgent
from finchmark.suite.agents.mistakes import MistakesAgent
from finchmark.suite.agents.playbook import PlaybookAgent
from finchmark.suite.agents.practice import FAILED, borrowed, own
from finchmark.suite.agents.reflection import ReflectionAgent
from finchmark.suite.agents.skills import SkillsAgent

MAKERS = [
    (ReflectionAgent, False),
    (CheatsheetAgent, True),
    (PlaybookAgent, True),
    (lambda: MistakesAgent(batch=1), False),
    (SkillsAgent, True),
]


def parrot(prompt: str) -> str:
    """A model that repeats the example's answer."""
    said = re.findall(r"^assistant: (.*?)(?=\n\nuser: )", prompt, re.DOTALL | re.MULTILINE)
    return said[-1] if said else "<action>red</action>"


@pytest.mark.parametrize(("make", "solved"), MAKERS)
def test_repeating_the_example_teaches_nothing(stream, make, solved):
    life = stream(make, parrot)
    life.live(solved=solved)
    assert "toast" in life.asked[0]
    assert "toast" not in str(life.state)
    assert "toast" not in life.probe()


@pytest.mark.parametrize(("make", "solved"), MAKERS)
def test_where_the_task_is_about_toast_the_answer_counts(stream, make, solved):
    life = stream(make, parrot)
    life.live(solved=solved, rules="Make toast. Plug the toaster in, plugged it is not unplugged; press a lever.")
    assert "toaster" in life.probe()


@pytest.mark.parametrize(("make", "solved"), MAKERS)
def test_the_example_has_the_form_of_the_question(stream, make, solved):
    life = stream(make, parrot)
    life.live(solved=solved)
    for asked in life.asked:
        example = asked.split("\n\nassistant: ")[0].removeprefix("user: ").splitlines()
        own = asked.split("\n\nuser: ")[-1].splitlines()
        assert (example[0], example[-1]) == (own[0], own[-1])


@pytest.mark.parametrize("text", ["Use the toaster.", "It is unplugged.", "press the lever"])
def test_a_word_of_the_example_alone_is_borrowed(text):
    assert borrowed(text, replace(FAILED, instructions="Say red.", steps=(), after="Shut."))
    assert not borrowed(text, FAILED)


def test_an_answer_loses_the_lines_that_are_borrowed():
    lived = replace(FAILED, instructions="Say red.", steps=(), after="")
    assert own("Say red.\nPlug the toaster in.\n\nWait.", lived) == "Say red.\n\nWait."
    assert own("Plug the toaster in.", lived) == ""


def test_other_words_are_the_models_own():
    assert not borrowed("Be clever: say red.", replace(FAILED, instructions="Say red.", steps=(), after=""))


def test_the_example_is_in_none_of_our_worlds():
    for package in (environments, tasks):
        for file in Path(package.__path__[0]).rglob("*"):
            if file.suffix in (".py", ".yaml", ".json"):
                assert "toaster" not in file.read_text(encoding="utf-8").lower(), file
