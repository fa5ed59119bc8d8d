"""Controllers that see what a player sees: the yardsticks by which worlds are measured.

All steer alike and differ only in what they expect of the morrow's wind and sun. So the gap between one that trusts
yesterday and one that knows the period is what knowing the period is worth.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from .energy_actions import Command
from .energy_grid import EnergyGrid
from .energy_rules import EnergyRules, phase_means

__all__ = [
    "KNOWING",
    "REACTIVE",
    "Controller",
    "Expectation",
    "Inducing",
    "Known",
    "LeastSeen",
    "Periodic",
    "Settings",
    "Yesterday",
    "expectations",
    "play",
]

# What is expected of wind and sun before any was seen: little.
_UNSEEN = 0.55
# A plant is never commanded below this, so that its yield can be seen.
_PROBE = 1.0
_THERMAL_MARGIN = 0.015
_SURE_MARGIN = 0.04
# Covers the rounding of commands to two decimals.
_BUDGET_SLACK = 0.1


class Expectation(Protocol):
    """What a plant is expected to yield."""

    def see(self, value: float) -> None:
        """Learn what it yielded on the next day in order."""
        ...

    def guess(self) -> tuple[float, bool]:
        """The yield expected of the day to come, and whether it rests on more than the last days."""
        ...


class Yesterday:
    """Expects what was seen last."""

    def __init__(self) -> None:
        self._last = _UNSEEN

    def see(self, value: float) -> None:
        """Keep it."""
        self._last = value

    def guess(self) -> tuple[float, bool]:
        """The last day's yield."""
        return self._last, False


class LeastSeen:
    """Expects the worst of the last 25 days."""

    def __init__(self) -> None:
        self._seen: list[float] = []

    def see(self, value: float) -> None:
        """Keep it."""
        self._seen.append(value)

    def guess(self) -> tuple[float, bool]:
        """The least yield of late."""
        return min(self._seen[-25:], default=_UNSEEN), False


class Periodic:
    """Knows the period alone: expects what was seen at this place of the cycle, and the worst until it was there.

    Args:
        period: Days of a cycle.
    """

    def __init__(self, period: int) -> None:
        self._period = period
        self._seen: list[float] = []

    def see(self, value: float) -> None:
        """Keep it."""
        self._seen.append(value)

    def guess(self) -> tuple[float, bool]:
        """The mean at this place of the cycle."""
        earlier = self._seen[len(self._seen) % self._period :: self._period]
        if earlier:
            return math.fsum(earlier) / len(earlier), True
        return min(self._seen, default=_UNSEEN), False


class Inducing:
    """Is told nothing: takes the shortest period that all it saw agrees with, and expects the worst until one does.

    A period agrees if at least three days, among them a jump, repeat the days one period before.
    """

    _NEAR, _JUMP, _LEAST = 0.08, 0.2, 3

    def __init__(self) -> None:
        self._seen: list[float] = []

    def see(self, value: float) -> None:
        """Keep it."""
        self._seen.append(value)

    def _agrees(self, period: int) -> bool:
        seen = self._seen
        if any(abs(now - before) > self._NEAR for now, before in zip(seen[period:], seen, strict=False)):
            return False
        return max(seen[period:]) - min(seen[period:]) > self._JUMP

    def guess(self) -> tuple[float, bool]:
        """The mean at this place of the cycle that it found."""
        days = len(self._seen)
        for period in range(2, days - self._LEAST + 1):
            if self._agrees(period):
                earlier = self._seen[days % period :: period]
                return math.fsum(earlier) / len(earlier), True
        return min(self._seen, default=_UNSEEN), False


class Known:
    """Knows the pattern.

    Args:
        pattern: The yields of one cycle.
    """

    def __init__(self, pattern: Sequence[float]) -> None:
        self._pattern, self._day = pattern, 0

    def see(self, value: float) -> None:
        """Only count the day."""
        self._day += 1

    def guess(self) -> tuple[float, bool]:
        """The pattern at this place of the cycle."""
        return self._pattern[self._day % len(self._pattern)], True


@dataclass(frozen=True, slots=True)
class Settings:
    """How a controller steers.

    Args:
        margin: By this share it expects less of wind and sun than it guesses, where the guess is not sure.
        aim: So far below its target it steers the thermal share.
        gain: How much of the gap to the aim it means to close in a day.
        rate: The most that it changes wind and solar together in a day to follow the aim.
    """

    margin: float
    aim: float
    gain: float
    rate: float


class Controller:
    """Commands the plants day by day: enough for demand, inside the budget, towards the thermal share.

    It holds wind and solar as steady as the aim allows, the better buy first; thermal fills up; where that is too dear,
    it gives up the worse buy. It leaves the battery alone.

    Args:
        rules: Only what a player is told is read: capacities, prices, targets, the commands before the first day.
        wind: What to expect of wind.
        solar: What to expect of solar.
        settings: How to steer.
    """

    def __init__(self, rules: EnergyRules, wind: Expectation, solar: Expectation, settings: Settings) -> None:
        self._rules, self._expect, self._settings = rules, (wind, solar), settings
        self._aim = rules.target_carbon - settings.aim
        self._level = [max(_PROBE, rules.initial[1]), max(_PROBE, rules.initial[2])]
        self._thermal = 1.0
        self._sums = (0.0, 0.0)

    def see(self, rated: Sequence[float], output: Sequence[float], supply: float) -> None:
        """Learn how a day went.

        Args:
            rated: Its commands: thermal, wind, solar, …
            output: What the three plants yielded.
            supply: The supply.
        """
        if rated[0] >= _PROBE:
            self._thermal = output[0] / rated[0]
        for expectation, command, made in zip(self._expect, rated[1:3], output[1:3], strict=True):
            expectation.see(made / command if command > 0 else expectation.guess()[0])
        self._sums = (self._sums[0] + output[0], self._sums[1] + supply)

    def command(self, demand: float, budget: float) -> Command:
        """Choose the commands of a day.

        Args:
            demand: The day's demand.
            budget: The day's budget.
        """
        rules, settings, level = self._rules, self._settings, self._level
        guesses = [expectation.guess() for expectation in self._expect]
        yields = [guess * (1 - (_SURE_MARGIN if sure else settings.margin)) for guess, sure in guesses]
        thermal_yield = self._thermal * (1 - _THERMAL_MARGIN)
        gap = self._sums[0] - self._aim * self._sums[1]
        share = min(1.0, max(0.0, self._aim - settings.gain * gap / demand))
        prices = rules.prices[1:3]
        best = sorted((0, 1), key=lambda k: prices[k] / yields[k])
        need = (1 - share) * demand - yields[0] * level[0] - yields[1] * level[1]
        left = settings.rate
        for k in best if need > 0 else best[::-1]:
            room = rules.capacity[k + 1] - level[k] if need > 0 else level[k] - _PROBE
            change = max(0.0, min(abs(need) / yields[k], left, room))
            left -= change
            change = math.copysign(change, need)
            level[k] += change
            need -= change * yields[k]
        thermal = self._fill(demand, yields, thermal_yield)
        for k in best[::-1]:
            saved = prices[k] - rules.prices[0] * yields[k] / thermal_yield
            cost = rules.prices[0] * thermal + prices[0] * level[0] + prices[1] * level[1]
            excess = cost + _BUDGET_SLACK - budget
            if excess > 0 and saved > 0.1:
                level[k] -= max(0.0, min(level[k] - _PROBE, excess / saved + 0.01))
                thermal = self._fill(demand, yields, thermal_yield)
        return thermal, level[0], level[1], 0.0

    def _fill(self, demand: float, yields: Sequence[float], thermal_yield: float) -> float:
        rest = demand - yields[0] * self._level[0] - yields[1] * self._level[1]
        return min(self._rules.capacity[0], max(0.0, rest / thermal_yield))


def expectations(kind: str, rules: EnergyRules) -> tuple[Expectation, Expectation]:
    """What to expect of wind and solar.

    Args:
        kind: ``yesterday``; ``least``; ``induce`` (finds the periods); ``period`` (is told the two periods); or
            ``pattern`` (is told the two patterns).
        rules: The world, of which the last two kinds are told their part.
    """
    makers: dict[str, Callable[[Sequence[float], int], Expectation]] = {
        "yesterday": lambda series, period: Yesterday(),
        "least": lambda series, period: LeastSeen(),
        "induce": lambda series, period: Inducing(),
        "period": lambda series, period: Periodic(period),
        "pattern": lambda series, period: Known(phase_means(series, period)),
    }
    make = makers[kind]
    return make(rules.wind, rules.wind_period), make(rules.solar, rules.solar_period)


def play(rules: EnergyRules, kind: str, settings: Settings) -> EnergyGrid:
    """Let a controller play a game.

    Args:
        rules: The world.
        kind: As for :func:`expectations`.
        settings: How to steer.

    Returns:
        The grid after the last day.
    """
    controller = Controller(rules, *expectations(kind, rules), settings)
    grid = EnergyGrid(rules)
    while not grid.done:
        # Commands with two decimals, as a player writes them.
        thermal, wind, solar, battery = controller.command(rules.demand[grid.day], rules.budget[grid.day])
        grid.advance(round(thermal, 2), round(wind, 2), round(solar, 2), battery)
        controller.see(grid.rated, grid.output, grid.supply)
    return grid


# The best for worlds of the gate of the grid in tests/benchmarks/bench_energy.py.
REACTIVE = Settings(margin=0.3, aim=0.06, gain=0.1, rate=150.0)
KNOWING = Settings(margin=0.5, aim=0.06, gain=0.3, rate=150.0)
