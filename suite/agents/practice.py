"""A made-up episode that shows a model what is asked of it when it learns.

Without an answered example a small model does not find the form: asked for three labelled lines, SmolLM2-135M wrote
none of them in two tries, and all of them in two tries after one example. The example is about a toaster, which is in
none of our tasks, and its answers hold no advice that could help elsewhere: an example that did would be learnt from,
and the method would get the credit.
"""

from __future__ import annotations

import re

from .experience import Experience, Feedback, Step

__all__ = ["FAILED", "SOLVED", "borrowed", "own"]

_WORDS = re.compile(r"\b(?:toast\w*|(?:un)?plug\w*|levers?)\b", re.IGNORECASE)

_RULES = "Make toast. Each turn you do one thing: <action>thing</action>"

FAILED = Experience(
    id="practice/0",
    task="practice",
    position=0,
    instructions=_RULES,
    steps=(
        Step("An unplugged toaster with bread in it.", "<action>press the lever</action>", "press the lever", True),
        Step("The lever springs up at once.", "<action>press the lever</action>", "press the lever", True),
    ),
    after="The lever springs up at once.",
    feedback=Feedback(0.0, False),
)

SOLVED = Experience(
    id="practice/1",
    task="practice",
    position=0,
    instructions=_RULES,
    steps=(
        Step("An unplugged toaster with bread in it.", "<action>plug it in</action>", "plug it in", True),
        Step("It is plugged in.", "<action>press the lever</action>", "press the lever", True),
    ),
    after="The toast is brown.",
    feedback=Feedback(1.0, True),
)


def borrowed(text: str, experience: Experience) -> bool:
    """Whether a text was taken from the example: it has a word of its scene that the episode itself does not have."""
    words = {word.lower() for word in _WORDS.findall(text)}
    if not words:
        return False
    told = (experience.instructions, experience.after, *(step.observation for step in experience.steps))
    return bool(words - {word.lower() for part in told for word in _WORDS.findall(part)})


def own(answer: str, experience: Experience) -> str:
    """The lines of an answer that are not :func:`borrowed`."""
    return "\n".join(line for line in answer.splitlines() if not borrowed(line, experience)).strip()
