"""A bandit over the names of options, whatever there is to see."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, ClassVar

from ..model import Model
from .experience import Experience
from .percept import Option, Percept
from .wordless import WordlessAgent

if TYPE_CHECKING:
    import numpy as np

__all__ = ["BanditAgent", "Purse", "upper_bound"]


def upper_bound(mean: float, tries: int, total: int) -> float:
    """UCB1's index of an arm: its mean reward and what its mean may be off by (Auer et al. 2002, figure 1).

    Args:
        mean: Mean reward in [0, 1].
        tries: How often the arm was taken, at least 1.
        total: How often all arms were, at least 1.

    Returns:
        mean + sqrt(2 ln(total) / tries).
    """
    return mean + math.sqrt(2 * math.log(total) / tries)


class Purse:
    """What was earned by each of some arms, and the range of single rewards.

    UCB1 wants rewards in [0, 1]; tasks' have other ranges, so means are put on the range that was seen. Until two
    different rewards were, all means are 0.
    """

    def __init__(self) -> None:
        self.tries: dict[str, int] = {}
        self.sums: dict[str, float] = {}
        self.low = math.inf
        self.high = -math.inf

    def add(self, arm: str, reward: float, tries: int = 1) -> None:
        """Note a reward, or the same for each of several tries."""
        self.tries[arm] = self.tries.get(arm, 0) + tries
        self.sums[arm] = self.sums.get(arm, 0.0) + tries * reward
        self.low, self.high = min(self.low, reward), max(self.high, reward)

    def mean(self, arm: str) -> float:
        """The arm's mean reward on the range that was seen, 0 where it was never tried."""
        if not self.tries.get(arm) or not self.high > self.low:
            return 0.0
        return min(1.0, max(0.0, (self.sums[arm] / self.tries[arm] - self.low) / (self.high - self.low)))

    def copy(self) -> Purse:
        """An independent copy."""
        other = Purse()
        other.tries, other.sums = dict(self.tries), dict(self.sums)
        other.low, other.high = self.low, self.high
        return other

    def data(self) -> Any:
        """Plain data."""
        seen = [self.low, self.high] if self.tries else []
        return {"seen": seen, "arms": {arm: [count, self.sums[arm]] for arm, count in self.tries.items()}}

    @classmethod
    def of(cls, data: Any) -> Purse:
        """Read :meth:`data` again.

        Raises:
            ValueError: It is none.
        """
        purse = cls()
        try:
            for arm, (count, earned) in data["arms"].items():
                purse.tries[str(arm)], purse.sums[str(arm)] = int(count), float(earned)
            if data["seen"]:
                purse.low, purse.high = map(float, data["seen"])
        except (TypeError, KeyError, ValueError, AttributeError) as error:
            raise ValueError(f"no record of rewards: {type(error).__name__}: {error}") from error
        return purse


def dealt_anew(data: Any, rng: np.random.Generator) -> Any:
    """A purse's data with the records of the arms exchanged among them."""
    arms = list(data["arms"])
    order = rng.permutation(len(arms))
    return {**data, "arms": {arm: data["arms"][arms[i]] for arm, i in zip(arms, order, strict=True)}}


class BanditAgent(WordlessAgent):
    """Takes the option of the highest upper confidence bound. It sees nothing but rewards.

    Where percepts tell what an action earned, that is its reward. Where they do not, every action of an episode is
    credited with the episode's score when it has ended, and within an episode only its number of tries grows. Options
    that were never tried come first, in the order of the percept from a place on that is drawn; so do ties.

    Source: UCB1 (Auer, Cesa-Bianchi and Fischer 2002, Finite-time analysis of the multiarmed bandit problem, Machine
    Learning 47). Ours: rewards are put on the range that was seen, and the credit for whole episodes.
    """

    name: ClassVar[str] = "bandit"

    def __init__(self) -> None:
        self._kept = Purse()
        self.begin()

    def begin(self) -> None:
        """Start with what earlier episodes earned."""
        self._purse = self._kept.copy()
        self._taken: dict[str, int] = {}
        self._last: str | None = None
        self._told = False

    def choose(self, percept: Percept) -> Option:
        """Note what the last option earned, then take the one with the highest bound."""
        if self._last is not None and percept.reward is not None:
            self._purse.add(self._last, percept.reward)
            self._told = True
        # Tries whose reward is not known yet count as tries, or the first option would be taken for ever.
        tries = dict(self._purse.tries)
        if not self._told:
            for name, count in self._taken.items():
                tries[name] = tries.get(name, 0) + count
        elif self._last is not None and percept.reward is None:
            tries[self._last] = tries.get(self._last, 0) + 1
        total = sum(tries.get(option.name, 0) for option in percept.options)

        def index(option: Option) -> float:
            count = tries.get(option.name, 0)
            return upper_bound(self._purse.mean(option.name), count, total) if count else math.inf

        start = self.luck % len(percept.options)
        best = max((*percept.options[start:], *percept.options[:start]), key=index)
        self._taken[best.name] = self._taken.get(best.name, 0) + 1
        self._last = best.name
        return best

    async def learn(self, experience: Experience, model: Model) -> str:
        """Keep what the episode earned."""
        score = experience.feedback.score
        if self._told:
            self._kept = self._purse.copy()
        elif score is None or not self._taken:
            return ""
        else:
            for name, count in self._taken.items():
                self._kept.add(name, score, count)
        return f"rewards of {len(self._taken)} options"

    def snapshot(self) -> Any:
        """Tries and rewards of all options."""
        return self._kept.data()

    def restore(self, state: Any) -> None:
        """Take up tries and rewards."""
        self._kept = Purse.of(state)
        self.begin()

    def placebo(self, state: Any, rng: np.random.Generator) -> Any:
        """The options' records exchanged among them."""
        return dealt_anew(state, rng)
