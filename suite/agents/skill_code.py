"""Skills as programs: a function from what a turn shows to a suggestion, run in the sandbox and nowhere else."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..sandbox.functions import Call, call_function, function_faults, language
from ..sandbox.shared import shared_sandbox
from .clipping import clip
from .placebo import filler

if TYPE_CHECKING:
    import numpy as np

__all__ = ["EXAMPLE", "MOST_SAID", "MOST_SOURCE", "NAME", "RULES", "blank_source", "refusal", "say"]

NAME = "suggest"

MOST_SOURCE = 2_000
"""Characters of one skill's source."""

MOST_SAID = 200
"""Characters that one skill may say of a turn."""

_MOST_SEEN = 8_000
_MOST_TRIED = 16

RULES = (
    f"{language(NAME, ('observation',))} It gets the text that a turn shows and returns what it suggests to do there, "
    'as a short text, or "" where it has nothing to say. It must work on every turn of this episode.'
)

EXAMPLE = """NAME: make toast
WHEN: the toaster is unplugged
```python
def suggest(observation):
    if "unplugged" in observation:
        return "plug the toaster in"
    if "springs" not in observation:
        return "press the lever"
    return ""
```"""


def _read(value: object) -> str:
    """What a skill said, on one line."""
    return clip(" ".join(value.split()), MOST_SAID) if isinstance(value, str) else ""


async def say(sources: Sequence[str], observation: str) -> list[tuple[str, str]]:
    """Run skills on what a turn shows, each in a process of its own.

    Args:
        sources: Programs that :func:`refusal` took.
        observation: What is shown.

    Returns:
        For each what it says, and why it says nothing where it failed; both are empty where it chose to say nothing.

    Raises:
        SandboxFailure: The sandbox failed, which says nothing about the skills.
    """
    sandbox = await shared_sandbox()
    call = Call((clip(observation, _MOST_SEEN),))
    answers = await asyncio.gather(*(call_function(sandbox, source, NAME, [call]) for source in sources))
    found: list[tuple[str, str]] = []
    for (answer,) in answers:
        fault = answer.fault
        if not fault and answer.value is not None and not isinstance(answer.value, str):
            fault = f"it returned a {type(answer.value).__name__}, not a text"
        found.append(("" if fault else _read(answer.value), fault))
    return found


async def refusal(source: str, observations: Sequence[str]) -> str:
    """Why a program is not taken up as a skill.

    It is run, in the sandbox, on what the episode showed that it was learnt from (16 turns, evenly spread), twice: it
    must fail at none of them, say something at one, and the same both times.

    Args:
        source: As a model wrote it.
        observations: What the turns showed.

    Returns:
        A sentence, empty where it is taken.

    Raises:
        SandboxFailure: The sandbox failed.
    """
    if len(source) > MOST_SOURCE:
        return f"it has {len(source)} characters, over {MOST_SOURCE}"
    sandbox = await shared_sandbox()
    fault = await function_faults(sandbox, source, NAME, 1)
    if fault:
        return fault
    many = len(observations)
    tried = sorted({n * many // _MOST_TRIED for n in range(_MOST_TRIED)}) if many > _MOST_TRIED else range(many)
    calls = [Call((clip(observations[n], _MOST_SEEN),)) for n in tried]
    first, second = [await call_function(sandbox, source, NAME, calls) for _ in range(2)]
    for n, answer in zip(tried, first, strict=True):
        if answer.fault:
            return f"turn {n + 1}: {answer.fault}"
        if answer.value is not None and not isinstance(answer.value, str):
            return f"turn {n + 1}: it returned a {type(answer.value).__name__}, not a text"
    if first != second:
        return "it says something else when it is run again"
    return "" if any(_read(answer.value) for answer in first) else "it has nothing to say of this episode"


def blank_source(size: int, rng: np.random.Generator) -> str:
    """A program of a size that says plain words about nothing at every turn.

    Args:
        size: Characters. Under about 60 the program is as long as it must be.
        rng: Chooses the words.
    """
    head, tail = f'def {NAME}(observation):\n    return "', '"\n'
    words = filler(max(1, min(40, size - len(head) - len(tail))), rng)
    program = f"{head}{words}{tail}"
    rest = size - len(program)
    return program + ("# " + filler(rest - 2, rng) if rest > 2 else " " * max(0, rest))
