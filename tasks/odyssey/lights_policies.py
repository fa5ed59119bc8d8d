"""Policies that play Lights in the place of a model: uniform, exploring, and optimal."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Mapping
from typing import Any

from ...environments.odyssey.lights_rules import LightsRules
from ...environments.odyssey.lights_solver import policy_table
from ...suite.backends.base import GenerateRequest
from ...suite.backends.scripted import choose
from ...suite.seeds import derive
from .prediction import Majority, read_question, say_answer

__all__ = ["Explorer", "Oracle", "Uniform", "draw_bulbs", "find_row", "read_bulbs"]

_ON, _OFF = "💡", "○"
_ASKED = re.compile(r"switch of bulb (\d+) is pressed")


def find_row(text: str) -> list[str]:
    """Find the last row of bulbs in a text, as an agent would.

    Returns:
        One glyph a bulb.

    Raises:
        ValueError: There is no such row.
    """
    for line in reversed(text.splitlines()):
        glyphs = line.split()
        if glyphs and all(glyph in (_ON, _OFF) for glyph in glyphs):
            return glyphs
    raise ValueError("no row of bulbs in the text")


def read_bulbs(text: str) -> int:
    """Read the last row of bulbs in a text.

    Returns:
        A bit mask: bit i is set if bulb i is on.

    Raises:
        ValueError: There is no such row.
    """
    return sum(1 << i for i, glyph in enumerate(find_row(text)) if glyph == _ON)


def draw_bulbs(state: int, bulbs: int) -> str:
    """Draw a row of bulbs as the world shows it; bit i of the state is bulb i."""
    return " ".join(_ON if state >> bulb & 1 else _OFF for bulb in range(bulbs))


def _asked(question: str) -> tuple[int, int]:
    """The state and the bulb of a question after the episode."""
    bulb = _ASKED.search(question)
    if bulb is None:
        raise ValueError(f"no press in the question {question!r}")
    return read_bulbs(question), int(bulb[1])


def _press(bulb: int) -> str:
    return f"<action>{bulb}</action>"


class Uniform:
    """Presses a bulb at random, all equally likely: the chance level."""

    def __init__(self, bulbs: int) -> None:
        self.bulbs = bulbs

    def reply(self, request: GenerateRequest) -> str:
        """Press any bulb; answer anything."""
        if read_question(request.messages[-1].content) is not None:
            return say_answer(choose(2, request) == 1)
        return _press(choose(self.bulbs, request))


class Oracle:
    """Knows the conditions and takes a shortest way to the goal from wherever it is: the ceiling."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        self._table = policy_table(config)
        self._rules = LightsRules.from_config(config)

    def reply(self, request: GenerateRequest) -> str:
        """Press the next bulb of a shortest solution; answer by the conditions."""
        question = read_question(request.messages[-1].content)
        if question is not None:
            state, bulb = _asked(question)
            return say_answer(self._rules.press(bulb, state) != state)
        bulb = self._table.best(read_bulbs(request.messages[-1].content))
        if bulb is None:
            raise ValueError("the goal cannot be reached from here, though every world is proved solvable")
        return _press(bulb)


class Explorer:
    """Remembers what every press did in every state, and goes to the nearest press it has not tried. Learns no rule."""

    def __init__(self, bulbs: int) -> None:
        self.bulbs = bulbs
        self._known: dict[int, dict[int, int]] = {}
        self._last: tuple[int, int] | None = None

    def reply(self, request: GenerateRequest) -> str:
        """Press an untried bulb here, or the first press of a known way to one elsewhere.

        Asked what a press would do in a state where it was not tried, it expects what the press mostly did elsewhere.
        """
        question = read_question(request.messages[-1].content)
        if question is not None:
            known = self._known.items()
            tried = [(str(bulb), was != now) for was, presses in known for bulb, now in presses.items()]
            return say_answer(Majority(tried).predict(str(_asked(question)[1])))
        state = read_bulbs(request.messages[-1].content)
        if self._last is not None:
            before, bulb = self._last
            self._known.setdefault(before, {})[bulb] = state
        bulb = self._way(state, derive("order", request.seed))
        self._last = (state, bulb)
        return _press(bulb)

    def _untried(self, state: int) -> list[int]:
        known = self._known.get(state, {})
        return [bulb for bulb in range(self.bulbs) if bulb not in known]

    def _way(self, start: int, seed: int) -> int:
        here = self._untried(start)
        if here:
            # A bulb that is off comes first: the goal is to have them on.
            off = [bulb for bulb in here if not start >> bulb & 1]
            return (off or here)[seed % len(off or here)]
        queue, first = deque([start]), {start: -1}
        while queue:
            state = queue.popleft()
            for bulb, after in self._known.get(state, {}).items():
                if after not in first:
                    first[after] = bulb if state == start else first[state]
                    if self._untried(after):
                        return first[after]
                    queue.append(after)
        return seed % self.bulbs
