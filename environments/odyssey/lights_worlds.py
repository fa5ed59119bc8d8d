"""Lights worlds from a seed: every one is proved solvable, and the proof is a shortest solution.

How a world is drawn. The bulbs stand in a secret random order. The first bulb's switch always works; the switch of
every later one depends on a few bulbs before it, through a random tree of *and* and *or* over their literals, with
some groups negated. Each bulb occurs at most once in a rule, so every rule can be made true, and pressing is
reversible, so every state can be reached. A world is kept if its shortest solution, found by breadth-first search, has
the length that the difficulty asks for: more presses than bulbs means that some bulbs must be switched on, off, and
on again.

What the config does not tell. Bulbs are numbered independently of the secret order and listed by number, and the parts
of a rule stand in random order. What the rules themselves imply cannot be hidden: later bulbs tend to have longer ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from ...suite.errors import UsageError
from ...suite.seeds import generator
from .lights_rules import LightsRules
from .lights_solver import MAX_SOLVABLE, random_success, solve
from .logic import And, Bulb, Constant, Expression, Not, Or
from .presets import difficulty_key, preset

if TYPE_CHECKING:
    import numpy as np

__all__ = ["LIGHTS_PRESETS", "LightsDifficulty", "LightsWorld", "generate"]


@dataclass(frozen=True, slots=True)
class LightsDifficulty:
    """What worlds to draw.

    The length of a shortest solution is at least the number of bulbs; what it has beyond that is called extra. Extra is
    even, since in the end every bulb has been switched an odd number of times.

    Args:
        min_bulbs: The fewest bulbs of a world, at least 2.
        max_bulbs: The most, at most 16; the number is drawn uniformly.
        max_dependencies: The most bulbs that a rule names.
        min_extra: A shortest solution has at least this many presses more than there are bulbs.
        max_extra: And at most this many more.
        horizon: The presses that a player gets; worlds whose shortest solution is longer are not drawn.
        max_chance: Worlds that a uniformly random player solves within the horizon more often than this are not drawn.
        conjunction: The probability that two parts of a rule are joined by *and*.
        negation: The probability that a bulb in a rule must be off.
        group_negation: The probability that a group of parts is negated as a whole.
        attempts: The most worlds to draw until one fits; after that :func:`generate` raises.

    Raises:
        UsageError: A value is outside its range, or no world can fit.
    """

    min_bulbs: int
    max_bulbs: int
    max_dependencies: int
    min_extra: int
    max_extra: int
    horizon: int
    max_chance: float = 1.0
    conjunction: float = 0.8
    negation: float = 0.5
    group_negation: float = 0.15
    attempts: int = 2000

    def __post_init__(self) -> None:
        for name, low in (
            ("min_bulbs", 2),
            ("max_bulbs", self.min_bulbs),
            ("max_dependencies", 1),
            ("min_extra", 0),
            ("max_extra", self.min_extra),
            ("horizon", self.max_bulbs + self.min_extra),
            ("attempts", 1),
        ):
            value = getattr(self, name)
            if value < low:
                raise UsageError(f"LightsDifficulty: {name} is at least {low} here, not {value}.")
        if self.max_bulbs > MAX_SOLVABLE:
            raise UsageError(f"LightsDifficulty: max_bulbs is at most {MAX_SOLVABLE}, not {self.max_bulbs}.")
        for name in ("max_chance", "conjunction", "negation", "group_negation"):
            if not 0 <= getattr(self, name) <= 1:
                raise UsageError(f"LightsDifficulty: {name} is a probability from 0 to 1, not {getattr(self, name)}.")

    @classmethod
    def named(cls, difficulty: str | LightsDifficulty) -> LightsDifficulty:
        """The preset of a name; a difficulty is handed through.

        Raises:
            UsageError: There is no preset of that name.
        """
        return preset(difficulty, LIGHTS_PRESETS, "lights")


LIGHTS_PRESETS: Mapping[str, LightsDifficulty] = MappingProxyType(
    {
        "smoke": LightsDifficulty(4, 4, max_dependencies=3, min_extra=0, max_extra=2, horizon=8),
        "gate": LightsDifficulty(5, 5, max_dependencies=4, min_extra=2, max_extra=4, horizon=20),
        "lite": LightsDifficulty(6, 10, max_dependencies=5, min_extra=2, max_extra=8, horizon=200, max_chance=0.25),
        "challenge": LightsDifficulty(
            11, 12, max_dependencies=6, min_extra=12, max_extra=40, horizon=500, max_chance=0.05, conjunction=0.9
        ),
    }
)


@dataclass(frozen=True, slots=True)
class LightsWorld:
    """A world and the proof that it can be solved.

    Args:
        config: As :class:`.LightsEnv` takes it, bulbs in the order of their numbers.
        shortest: The length of a shortest solution.
        plan: A shortest solution: the bulbs to press in order.
        horizon: The presses that a player gets.
    """

    config: dict[str, Any]
    shortest: int
    plan: tuple[int, ...]
    horizon: int


def _rule(rng: np.random.Generator, bulbs: list[int], difficulty: LightsDifficulty) -> Expression:
    """A random tree over the given bulbs, each used once."""
    parts: list[Expression] = [Not(Bulb(b)) if rng.random() < difficulty.negation else Bulb(b) for b in bulbs]
    while len(parts) > 1:
        at = int(rng.integers(len(parts) - 1))
        kind = And if rng.random() < difficulty.conjunction else Or
        joined: Expression = kind(parts[at], parts[at + 1])
        if rng.random() < difficulty.group_negation:
            joined = Not(joined)
        parts[at : at + 2] = [joined]
    return parts[0]


def _draw(rng: np.random.Generator, difficulty: LightsDifficulty) -> LightsRules:
    """One random world, whatever the length of its solution."""
    bulbs = int(rng.integers(difficulty.min_bulbs, difficulty.max_bulbs + 1))
    order = [int(b) for b in rng.permutation(bulbs)]
    conditions: dict[int, Expression] = {order[0]: Constant(True)}
    for place in range(1, bulbs):
        count = int(rng.integers(1, min(difficulty.max_dependencies, place) + 1))
        # Without replacement and in random order, so that a rule's first bulb need not be the earliest.
        earlier = [order[int(p)] for p in rng.permutation(place)[:count]]
        conditions[order[place]] = _rule(rng, earlier, difficulty)
    return LightsRules(tuple(conditions[b] for b in range(bulbs)))


def generate(difficulty: str | LightsDifficulty, *seed_path: str | int) -> LightsWorld:
    """Draw a world.

    Args:
        difficulty: A preset's name (``smoke``, ``gate``, ``lite``, ``challenge``) or a difficulty of your own.
        *seed_path: Names and numbers that say which world; see :func:`.seeds.derive`. Different difficulties draw
            unrelated worlds from one path.

    Returns:
        The world, the same on every machine for the same arguments.

    Raises:
        UsageError: The difficulty is unknown, the seed path is empty, or no world that fits was found within the
            difficulty's attempts.
    """
    difficulty = LightsDifficulty.named(difficulty)
    key = difficulty_key(difficulty, seed_path)
    rng = generator("odyssey/lights", key, *seed_path)
    for _ in range(difficulty.attempts):
        config = _draw(rng, difficulty).to_config()
        plan = solve(config)
        if plan is None:
            continue
        extra = len(plan) - config["level"]
        if not difficulty.min_extra <= extra <= difficulty.max_extra or len(plan) > difficulty.horizon:
            continue
        if difficulty.max_chance == 1 or random_success(config, difficulty.horizon) <= difficulty.max_chance:
            return LightsWorld(config, len(plan), tuple(plan), difficulty.horizon)
    raise UsageError(
        f"No lights world fits after {difficulty.attempts} attempts: {difficulty}. "
        "Widen min_extra to max_extra, raise max_chance, max_dependencies or conjunction, or allow more attempts."
    )
