"""Policies that play Energy in the place of a model: uniform, reactive, and by plan."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass

from ...environments.odyssey.energy_actions import Command
from ...environments.odyssey.energy_control import REACTIVE, Controller, expectations
from ...environments.odyssey.energy_rules import NAMES, EnergyRules
from ...suite.backends.base import GenerateRequest
from ...suite.backends.scripted import choose
from ...suite.seeds import uniform
from .energy_questions import asked, good_day
from .prediction import read_question, say_answer

__all__ = ["Morning", "Oracle", "Reactive", "Uniform", "read_morning", "say"]

_N = r"(-?\d+(?:\.\d+)?)"
_DAYS = re.compile(r"Days over: (\d+) of (\d+)")
_COMMANDS = re.compile(rf"Last commands: thermal {_N}, wind {_N}, solar {_N}, battery {_N}")
_OUTPUT = re.compile(rf"Last output: thermal {_N}, wind {_N}, solar {_N}; battery (?:gave|took) {_N}")
_SUPPLY = re.compile(rf"Last balance: supply {_N} for demand")
_TODAY = re.compile(rf"Today: demand {_N}, budget {_N}")


@dataclass(frozen=True, slots=True)
class Morning:
    """What an observation says.

    Args:
        days: Days over.
        demand: Demand of the day to come.
        budget: Its budget.
        rated: The last commands.
        output: What the plants made of them; None before the first day.
        supply: The last day's supply; None before the first day.
    """

    days: int
    demand: float
    budget: float
    rated: tuple[float, ...]
    output: tuple[float, ...] | None
    supply: float | None


def _last(pattern: re.Pattern[str], text: str) -> tuple[str, ...] | None:
    """The groups of the last place where a pattern fits."""
    found = [match.groups() for match in pattern.finditer(text)]
    return found[-1] if found else None


def read_morning(text: str) -> Morning:
    """Read the last observation in a text, as an agent would.

    Raises:
        ValueError: There is none.
    """
    days, today, rated = _last(_DAYS, text), _last(_TODAY, text), _last(_COMMANDS, text)
    if days is None or today is None or rated is None:
        raise ValueError("no observation of a grid in the text")
    output, supply = _last(_OUTPUT, text), _last(_SUPPLY, text)
    return Morning(
        days=int(days[0]),
        demand=float(today[0]),
        budget=float(today[1]),
        rated=tuple(map(float, rated)),
        output=None if output is None else tuple(map(float, output[:3])),
        supply=None if supply is None else float(supply[0]),
    )


def say(command: Command | Sequence[float], decimals: int = 2) -> str:
    """Write a command as an agent's reply.

    Args:
        command: Thermal, wind, solar, battery.
        decimals: To round to; whole numbers stay whole.
    """
    numbers = (round(value, decimals) for value in command)
    return f"<action>{json.dumps(dict(zip(NAMES, numbers, strict=True)))}</action>"


class Uniform:
    """Draws each command uniformly from its range: the chance level.

    Args:
        capacity: The largest command for each of the four.
    """

    def __init__(self, capacity: Sequence[float]) -> None:
        self._capacity = capacity

    def reply(self, request: GenerateRequest) -> str:
        """Command anything; answer anything."""
        if read_question(request.messages[-1].content) is not None:
            return say_answer(choose(2, request) == 1)
        thermal, wind, solar, battery = (
            uniform("energy", name, request.seed) * most for name, most in zip(NAMES, self._capacity, strict=True)
        )
        return say((thermal, wind, solar, 2 * battery - self._capacity[3]))


class Reactive:
    """Trusts that wind and sun stay as they were yesterday, with a margin. Learns nothing.

    Args:
        rules: The world, of which only what an agent is told is read.
    """

    def __init__(self, rules: EnergyRules) -> None:
        self._controller = Controller(rules, *expectations("yesterday", rules), REACTIVE)
        self._seen = 0
        self._yields: dict[str, float] = {}

    def reply(self, request: GenerateRequest) -> str:
        """Command what demand and budget ask; asked about a later day, expect what was seen last."""
        question = read_question(request.messages[-1].content)
        if question is not None:
            ask = asked(question)
            return say_answer(100 * self._yields.get(ask.plant, 0.0) > ask.threshold)
        morning = read_morning(request.messages[-1].content)
        if morning.days > self._seen and morning.output is not None and morning.supply is not None:
            self._controller.see(morning.rated, morning.output, morning.supply)
            self._seen = morning.days
            made = zip(("wind", "solar"), morning.output[1:], morning.rated[1:3], strict=True)
            self._yields |= {plant: output / rated for plant, output, rated in made if rated > 0}
        return say(self._controller.command(morning.demand, morning.budget))


class Oracle:
    """Knows every day to come and follows a plan made for them: the ceiling.

    Args:
        plan: The world's proof: one command a day.
        rules: The world.
    """

    def __init__(self, plan: Sequence[Sequence[float]], rules: EnergyRules) -> None:
        self._plan, self._rules = plan, rules

    def reply(self, request: GenerateRequest) -> str:
        """Command what the plan says for the day; answer by the patterns."""
        question = read_question(request.messages[-1].content)
        if question is not None:
            return say_answer(good_day(self._rules, asked(question)) is True)
        return say(self._plan[read_morning(request.messages[-1].content).days], decimals=3)
