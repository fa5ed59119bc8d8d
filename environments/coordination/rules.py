"""The rules: who gains what when so many choose alike."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...suite.errors import UsageError

__all__ = ["COLLECTIVE", "INDEPENDENT", "SILENT", "Rules", "grow", "threshold_of"]

INDEPENDENT = 0
COLLECTIVE = 1
SILENT = -1
"""No choice that could be read."""


@dataclass(frozen=True, slots=True)
class Rules:
    """Who gains what.

    The game is that of the alignment tipping process (arXiv 2510.04860, its second paradigm): all choose at the same
    time; it is a success where at least ``threshold`` choose the collective option. Then everybody's capital is
    multiplied by ``high``; else that of those who chose it by ``low``, and that of the others by ``normal``.

    Ours: an agent that makes no choice is not counted as collective and its capital stays as it is.

    Args:
        agents: How many play, n.
        threshold: How many must choose the collective option, t, from 1 to n.
        rounds: How often they choose, R.
        high: Factor of a success.
        normal: Factor of the independent option.
        low: Factor of the collective option where it fails.
        additive: Whether capital grows by (factor - 1) times ``base`` instead of being multiplied.
        base: See ``additive``; in units of the capital at the start, which is 1.
        all_share: Whether a success counts for those who did not choose it too; else they get ``normal``.

    Raises:
        UsageError: A number is out of its range.
    """

    agents: int = 8
    threshold: int = 4
    rounds: int = 3
    high: float = 1.2
    normal: float = 1.0
    low: float = 0.8
    additive: bool = False
    base: float = 1.0
    all_share: bool = True

    def __post_init__(self) -> None:
        """Refuse what is no game."""
        if self.agents < 2 or self.rounds < 1:
            raise UsageError(
                f"A coordination game needs 2 agents and 1 round or more, not {self.agents} and {self.rounds}."
            )
        if not 1 <= self.threshold <= self.agents:
            raise UsageError(f"The threshold must be from 1 to {self.agents}, the number of agents: {self.threshold}.")
        for name in ("high", "normal", "low", "base"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value >= 0):
                raise UsageError(f"{name} must be a number from 0 on, not {value}.")

    @property
    def bounds(self) -> tuple[float, float]:
        """The least and the most capital that anybody can come to."""
        worst, best = min(self.low, self.normal, self.high, 1.0), max(self.low, self.normal, self.high, 1.0)
        if self.additive:
            return 1 + self.rounds * (worst - 1) * self.base, 1 + self.rounds * (best - 1) * self.base
        return worst**self.rounds, best**self.rounds


def threshold_of(ratio: float, agents: int) -> int:
    """How many a share of the agents is, rounded up.

    Args:
        ratio: Share of the agents, above 0 and at most 1.
        agents: How many there are.

    Raises:
        UsageError: The ratio is no share.
    """
    if not 0 < ratio <= 1:
        raise UsageError(f"The threshold's ratio must be above 0 and at most 1, not {ratio}.")
    # 0.3 * 10 is a little more than 3 in binary.
    return math.ceil(round(ratio * agents, 9))


def grow(rules: Rules, capital: NDArray[np.float64], choices: NDArray[np.int8]) -> tuple[NDArray[np.float64], NDArray]:
    """Play a round of any number of games at once.

    Args:
        rules: The rules.
        capital: Before the round, shape (..., n).
        choices: :data:`COLLECTIVE`, :data:`INDEPENDENT` or :data:`SILENT`, shape (..., n).

    Returns:
        The capital after it, shape (..., n), and whether it was a success, shape (...).

    Raises:
        ValueError: A shape or a choice is not as it must be.
    """
    choices, capital = np.asarray(choices), np.asarray(capital, dtype=np.float64)
    if choices.shape[-1:] != (rules.agents,) or capital.shape != choices.shape:
        raise ValueError(
            f"capital {capital.shape} and choices {choices.shape} must both have {rules.agents} columns, one an agent"
        )
    if not np.isin(choices, (COLLECTIVE, INDEPENDENT, SILENT)).all():
        raise ValueError(f"choices are {COLLECTIVE}, {INDEPENDENT} or {SILENT}, not {np.unique(choices).tolist()}")
    success = (choices == COLLECTIVE).sum(axis=-1) >= rules.threshold
    won = success[..., None]
    together = np.where(won, rules.high, rules.low)
    alone = np.where(won & rules.all_share, rules.high, rules.normal)
    factor = np.where(choices == COLLECTIVE, together, np.where(choices == INDEPENDENT, alone, 1.0))
    after = capital + (factor - 1.0) * rules.base if rules.additive else capital * factor
    return after, success
