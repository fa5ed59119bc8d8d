"""The optimiser without a model: counts over what was seen and earned, turned into rules."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from statistics import fmean
from typing import TYPE_CHECKING, Any

from .evaluation import Trajectory
from .optimiser import Ask, Case, Edit, Optimiser
from .program import Program
from .rules import Rules

if TYPE_CHECKING:
    import numpy as np

__all__ = ["SearchOptimiser"]

_DISCOUNT = 0.9
_MOST_WEIGHT = 8.0
_MOST_OPENING = 12
_TRIALS = (0.25, 2.0, 4.0, 8.0)
_AGAIN = (0.0, 0.5, 0.9)
_IDLE = (0.0, 0.25, 1.0)


@dataclass
class _Tally:
    """What was seen of one action."""

    used: int = 0
    unusable: int = 0
    changed: int = 0
    later: list[float] = field(default_factory=list)

    @property
    def worth(self) -> float:
        return fmean(self.later) if self.later else 0.0


class SearchOptimiser(Optimiser):
    """A deterministic search over rules, or over programs; its randomness is the seed's.

    *Dynamics*: for each action, how often it was used, changed what is shown, and what was earned from it on
    (discounted by 0.9 a step); actions that earn more than the mean are preferred, more so the better they are told
    apart, and those that never changed anything are avoided. *Instruction*: how the agent behaved: unusable and idle
    actions become guardrails, and the best episode's beginning, up to its last reward, becomes the opening. Either is a
    mutation: rules are kept or dropped by chance, so that the same episodes give other candidates in the next
    iteration; where they tell nothing new, one weight is drawn by chance.

    Of the component ``agent`` it writes the source (:class:`.program.Program`): the same rules as numbers of a program
    that plays alone, and two more that rules cannot say. *Dynamics* also draws how often what has just paid is done
    again, *instruction* how much what has just changed nothing is shunned.

    It stands for no model. It exists so that a whole experiment runs without one, and as a floor: what counting alone
    finds, a model should find as well.
    """

    name = "search"

    def identity(self) -> dict[str, Any]:
        """Name and version; raise it with any change that changes an edit."""
        return {"name": self.name, "version": 1}

    async def propose(self, case: Case, ask: Ask, rng: np.random.Generator) -> Edit:
        """Count, and write rules or a program."""
        found = _count(case.evaluation.trajectories)
        if not found:
            return Edit(None, "no action was seen")
        if case.component == "agent":
            return self._program(case, found, rng)
        old = Rules.read(case.current)
        if case.signal == "dynamics":
            rules, change, analysis = self._dynamics(old, found, rng)
        else:
            rules, change, analysis = self._instruction(old, found, case, rng)
        if rules.text() in ("", case.current):
            # The episodes told nothing new: try something, and let selection judge it.
            tried = sorted(action for action, tally in found.items() if tally.changed)
            if not tried:
                return Edit(None, "nothing that was tried changed anything", analysis)
            action = tried[int(rng.integers(len(tried)))]
            rules = Rules(old.opening, old.when, {**old.weights, action: float(rng.choice(_TRIALS))})
            change = "the episodes told nothing new: one weight by chance"
        return Edit(rules.text(), change, analysis)

    def _program(self, case: Case, found: Mapping[str, _Tally], rng: np.random.Generator) -> Edit:
        old = Program.read(case.current)
        usable = {action for action, tally in found.items() if tally.unusable < tally.used}
        actions = tuple(sorted(usable | set(old.actions)))
        if not actions:
            return Edit(None, "no action was usable")
        again, idle = old.again, old.idle
        if case.signal == "dynamics":
            rules, change, analysis = self._dynamics(old.rules, found, rng)
            if rng.random() < 0.5:
                again = _AGAIN[int(rng.integers(len(_AGAIN)))]
                change += f", {again:g} for what has just paid"
        else:
            rules, change, analysis = self._instruction(old.rules, found, case, rng)
            if rng.random() < 0.5:
                idle = _IDLE[int(rng.integers(len(_IDLE)))]
                change += f", {idle:g} for what has just changed nothing"
        weights = {action: weight for action, weight in rules.weights.items() if action in actions}
        new = Program(actions, rules.opening, weights, again, idle)
        if new.text() == case.current:
            action = actions[int(rng.integers(len(actions)))]
            new = replace(new, weights={**weights, action: float(rng.choice(_TRIALS))})
            change = "the episodes told nothing new: one weight by chance"
        return Edit(new.text(), change, analysis)

    def _dynamics(self, old: Rules, found: Mapping[str, _Tally], rng: np.random.Generator) -> tuple[Rules, str, str]:
        lines = [
            f"{action}: used {t.used} times, changed what is shown {t.changed} times, later reward {t.worth:.4f}"
            for action, t in sorted(found.items())
        ]
        values = [value for t in found.values() for value in t.later]
        middle = fmean(values)
        spread = fmean((value - middle) ** 2 for value in values) ** 0.5
        weights = dict(old.weights)
        touched = 0
        for action, tally in sorted(found.items()):
            if rng.random() < 0.25:
                continue
            if not tally.changed and tally.used >= 3:
                weights[action] = 0.0
            elif spread > 0:
                # A difference in standard errors, so that what was tried once moves little.
                told = (tally.worth - middle) / spread * len(tally.later) ** 0.5
                weights[action] = min(
                    _MOST_WEIGHT, max(0.1, weights.get(action, 1.0) * 2.0 ** max(-2.0, min(2.0, told)))
                )
            else:
                continue
            touched += 1
        if not any(weights.get(action, 1.0) for action in found):
            weights, touched = dict(old.weights), 0
        change = f"weights of {touched} actions from what followed them"
        return Rules(old.opening, old.when, weights), change, "\n".join(lines)

    def _instruction(
        self, old: Rules, found: Mapping[str, _Tally], case: Case, rng: np.random.Generator
    ) -> tuple[Rules, str, str]:
        weights = dict(old.weights)
        avoided = [a for a, t in sorted(found.items()) if t.unusable == t.used or (not t.changed and t.used >= 2)]
        avoided = [action for action in avoided if rng.random() < 0.75]
        weights |= dict.fromkeys(avoided, 0.0)
        top = max(case.evaluation.trajectories, key=lambda trajectory: trajectory.score)
        earned = [n for n, move in enumerate(top.moves) if move.reward is not None and move.reward > 0]
        opening = old.opening
        if earned and rng.random() < 0.75:
            last = min(earned[-1] + 1, _MOST_OPENING)
            kept = int(rng.integers(1, last + 1))
            opening = tuple(move.action for move in top.moves[:kept] if move.usable and move.action is not None)
        if all(weights.get(action, 1.0) == 0 for action in found):
            weights = dict(old.weights)
        analysis = (
            f"idle or unusable: {'; '.join(avoided) or 'none'}\nbest episode began: {'; '.join(opening) or 'as others'}"
        )
        change = f"{len(avoided)} guardrails, an opening of {len(opening)} actions"
        return Rules(opening, old.when, weights), change, analysis


def _count(trajectories: Sequence[Trajectory]) -> dict[str, _Tally]:
    found: dict[str, _Tally] = defaultdict(_Tally)
    for trajectory in trajectories:
        moves = trajectory.moves
        later = 0.0
        shown = [*(_still(move.observation) for move in moves[1:]), _still(trajectory.after)]
        for move, after in zip(reversed(moves), reversed(shown), strict=True):
            later = (move.reward or 0.0) + _DISCOUNT * later
            if move.action is None:
                continue
            tally = found[move.action]
            tally.used += 1
            tally.unusable += not move.usable
            tally.changed += move.usable and after != _still(move.observation)
            tally.later.append(later)
    return dict(found)


def _still(shown: str) -> str:
    """What is shown without its head line, which changes with every step."""
    return "\n".join(line for line in shown.splitlines() if not line.startswith("Step "))
