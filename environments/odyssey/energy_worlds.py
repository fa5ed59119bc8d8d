"""Energy worlds from a seed: every one is proved solvable, and the proof is a plan.

How a world is drawn. Wind and solar each follow a pattern of levels that hold for a few days and then jump, and that
comes again after the world's period; the two periods differ. A little noise lies on every day. Demand swings over 30
days; the budget is in proportion to it. Every quantity has random numbers of its own: knowing one tells nothing about
another. The jumps are so large, and the budget so tight, that a controller which trusts yesterday's wind either misses
the demand or buys too much thermal power; docs/worlds/energy.md has the figures.

A world is kept if a plan that knows all its days, found by a linear programme and replayed on the grid, ends with room
to spare on both targets. Nothing else is selected.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from ...suite.errors import UsageError
from ...suite.seeds import generator, uniform
from .energy_actions import Command
from .energy_rules import NAMES
from .energy_solver import solve
from .presets import difficulty_key, preset

if TYPE_CHECKING:
    import numpy as np

__all__ = ["ENERGY_PRESETS", "EnergyDifficulty", "EnergyWorld", "generate", "turns_for"]

_CAPACITY = (600.0, 350.0, 250.0, 80.0)
_PRICES = (3.0, 5.0, 6.0, 0.1)
_SEASON = 30
_Range = tuple[float, float]


def turns_for(horizon: int) -> int:
    """The steps that an episode gets: a tenth more than it has days, at least 5 more, so that a slip is forgiven."""
    return horizon + max(5, horizon // 10)


@dataclass(frozen=True, slots=True)
class EnergyDifficulty:
    """What worlds to draw. Ranges are (lowest, highest); values are uniform on them.

    Args:
        horizon: The days of the game.
        periods: The periods of wind and solar, whole days; the two are drawn different from each other.
        hold: For how many days a level of a pattern holds.
        wind: The levels of wind: what a rated unit yields.
        solar: The levels of solar.
        jump: Neighbouring levels of a pattern differ at least by this.
        texture: Standard deviation of what each day of a pattern has on top of its level, in every cycle the same.
        noise: Standard deviation of what each single day has on top of the pattern.
        thermal_noise: The same for thermal power, whose yield is 1.
        demand: The mean of demand.
        swing: The amplitude of demand's season, as a share of its mean.
        demand_noise: Standard deviation of a day's demand, as a share.
        budget: What a unit of demand may cost.
        stability: The target of stability.
        carbon: The target of the thermal share.
        stability_room: A plan must end so far above the one target.
        carbon_room: And so far below the other.
        attempts: The most worlds to draw until one fits; after that :func:`generate` raises.

    Raises:
        UsageError: A value is outside its range.
    """

    horizon: int
    periods: tuple[int, int]
    hold: tuple[int, int]
    wind: _Range = (0.45, 1.2)
    solar: _Range = (0.5, 1.3)
    jump: float = 0.25
    texture: float = 0.02
    noise: float = 0.01
    thermal_noise: float = 0.005
    demand: _Range = (320.0, 440.0)
    swing: _Range = (0.1, 0.2)
    demand_noise: float = 0.02
    budget: _Range = (3.9, 4.1)
    stability: _Range = (0.91, 0.935)
    carbon: _Range = (0.67, 0.71)
    stability_room: float = 0.02
    carbon_room: float = 0.01
    attempts: int = 200

    def __post_init__(self) -> None:
        for name, low in (("horizon", 1), ("attempts", 1)):
            if getattr(self, name) < low:
                raise UsageError(f"EnergyDifficulty: {name} is at least {low}, not {getattr(self, name)}.")
        for name in ("periods", "hold", "wind", "solar", "demand", "swing", "budget", "stability", "carbon"):
            low, high = getattr(self, name)
            if not 0 < low <= high:
                raise UsageError(f"EnergyDifficulty: {name} is a range above 0, lowest first, not {(low, high)}.")
        if self.periods[0] == self.periods[1]:
            raise UsageError(
                f"EnergyDifficulty: the two periods differ, so their range needs two values, not {self.periods}."
            )
        for name in ("jump", "texture", "noise", "thermal_noise", "demand_noise", "stability_room", "carbon_room"):
            if getattr(self, name) < 0:
                raise UsageError(f"EnergyDifficulty: {name} is 0 or more, not {getattr(self, name)}.")
        for name in ("wind", "solar"):
            low, high = getattr(self, name)
            # From the middle of the range there must be somewhere to jump to.
            if self.jump > (high - low) / 2:
                raise UsageError(f"EnergyDifficulty: jump is at most half the range of {name}, not {self.jump}.")

    @classmethod
    def named(cls, difficulty: str | EnergyDifficulty) -> EnergyDifficulty:
        """The preset of a name; a difficulty is handed through.

        Raises:
            UsageError: There is no preset of that name.
        """
        return preset(difficulty, ENERGY_PRESETS, "energy")


ENERGY_PRESETS: Mapping[str, EnergyDifficulty] = MappingProxyType(
    {
        # Three days and five to spare make the eight turns of a smoke test; there is nothing to be learnt in them.
        "smoke": EnergyDifficulty(3, (2, 3), (1, 1), stability=(0.88, 0.9), carbon=(0.69, 0.72)),
        "gate": EnergyDifficulty(18, (4, 6), (1, 2), stability=(0.90, 0.92), carbon=(0.69, 0.72)),
        "lite": EnergyDifficulty(120, (15, 25), (1, 3)),
        "challenge": EnergyDifficulty(240, (20, 40), (1, 3)),
    }
)


@dataclass(frozen=True, slots=True)
class EnergyWorld:
    """A world and the proof that it can be solved.

    Args:
        config: As :class:`.EnergyEnv` takes it.
        plan: One command a day: thermal, wind, solar, battery. Replayed, they reach both targets.
        stability: Where the plan's stability ends.
        carbon: Where its thermal share ends.
        max_steps: The steps that a player gets.
    """

    config: dict[str, Any]
    plan: tuple[Command, ...]
    stability: float
    carbon: float
    max_steps: int


def _pattern(rng: np.random.Generator, period: int, levels: _Range, difficulty: EnergyDifficulty) -> np.ndarray:
    """One cycle: levels that hold for a few days each, with a texture on top."""
    import numpy as np

    days: list[float] = []
    while len(days) < period:
        level = rng.uniform(*levels)
        if days and abs(level - days[-1]) < difficulty.jump:
            continue
        days += [level] * int(rng.integers(difficulty.hold[0], difficulty.hold[1] + 1))
    return np.array(days[:period]) + rng.normal(0, difficulty.texture, period)


def _draw(difficulty: EnergyDifficulty, path: tuple[str | int, ...]) -> dict[str, Any]:
    """One random world, solvable or not."""
    import numpy as np

    d, horizon = difficulty, difficulty.horizon

    def own(name: str) -> np.random.Generator:
        return generator(*path, name)

    def between(name: str, ends: _Range) -> float:
        return ends[0] + (ends[1] - ends[0]) * uniform(*path, name)

    wind_period, solar_period = (
        d.periods[0] + int(p) for p in own("periods").permutation(d.periods[1] - d.periods[0] + 1)[:2]
    )
    yields = {}
    for name, period, levels in (("wind", wind_period, d.wind), ("solar", solar_period, d.solar)):
        cycle = _pattern(own(f"{name} pattern"), period, levels, d)
        days = np.resize(cycle, horizon) + own(f"{name} noise").normal(0, d.noise, horizon)
        yields[name] = [round(float(value), 4) for value in np.clip(days, levels[0] - 0.1, levels[1] + 0.1)]
    thermal = 1 + own("thermal noise").normal(0, d.thermal_noise, horizon)
    mean, swing, phase = between("demand", d.demand), between("swing", d.swing), between("phase", (0.0, math.tau))
    season = 1 + swing * np.sin(math.tau * np.arange(horizon) / _SEASON + phase)
    noise = 1 + own("demand noise").normal(0, d.demand_noise, horizon).clip(-3 * d.demand_noise, 3 * d.demand_noise)
    # Two decimals are what the observation shows: the player sees demand and budget exactly.
    demand = [round(float(value), 2) for value in mean * season * noise]
    factor = round(between("budget", d.budget), 3)
    shares = [
        between("thermal share", (0.6, 0.8)),
        between("wind share", (0.2, 0.35)),
        between("solar share", (0.05, 0.2)),
    ]
    initial = [round(demand[0] * share / sum(shares), 1) for share in shares]
    return {
        "horizon": horizon,
        "target_stability": round(between("stability target", d.stability), 3),
        "target_carbon": round(between("carbon target", d.carbon), 3),
        "world": {
            "days": horizon,
            "eff_wind": yields["wind"],
            "eff_solar": yields["solar"],
            "eff_thermal": [round(float(value), 4) for value in thermal],
            "wind_period": wind_period,
            "solar_period": solar_period,
        },
        "demand": demand,
        "budget": [round(factor * value, 2) for value in demand],
        "capacity": dict(zip(NAMES, _CAPACITY, strict=True)),
        "initial_rated": dict(zip(NAMES, (*initial, 0.0), strict=True)),
        "initial_stability": 1.0,
        "prices": dict(zip(NAMES, _PRICES, strict=True)),
    }


def generate(difficulty: str | EnergyDifficulty, *seed_path: str | int) -> EnergyWorld:
    """Draw a world.

    Args:
        difficulty: A preset's name (``smoke``, ``gate``, ``lite``, ``challenge``) or a difficulty of your own.
        *seed_path: Names and numbers that say which world; see :func:`.seeds.derive`. Different difficulties draw
            unrelated worlds from one path.

    Returns:
        The world, the same on every machine for the same arguments; its plan is a solver's and may differ in the last
        decimals between versions of SciPy.

    Raises:
        UsageError: The difficulty is unknown, the seed path is empty, or no world that fits was found within the
            difficulty's attempts.
    """
    difficulty = EnergyDifficulty.named(difficulty)
    key = difficulty_key(difficulty, seed_path)
    path = ("odyssey/energy", key, *seed_path)
    for attempt in range(difficulty.attempts):
        config = _draw(difficulty, (*path, attempt))
        plan = solve(config, carbon_slack=difficulty.carbon_room)
        if plan is not None and plan.stability > config["target_stability"] + difficulty.stability_room:
            return EnergyWorld(config, plan.commands, plan.stability, plan.carbon, turns_for(difficulty.horizon))
    raise UsageError(
        f"No energy world fits after {difficulty.attempts} attempts: {difficulty}. "
        "Raise budget or carbon, lower stability or the rooms, or allow more attempts."
    )
