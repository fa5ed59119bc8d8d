"""Regret minimisation with the update rule as a parameter: three formulas. The known algorithms are such rules.

One iteration, for one player after the other (alternating updates): counterfactual regrets ``r`` of the policy in play
are computed exactly; ``R``, what is accumulated, becomes ``regret(R, r, t)``; the next policy is in proportion to the
positive part of ``weight(R, r, t)`` with the new ``R``, uniform where there is none; and the policy that was in play
goes into the average with the weight ``average(t)``. ``t`` counts iterations from 1.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType

import numpy as np

from ...environments.openspiel.sequences import Array, SequenceForm
from ...suite.agents.expressions import Expression
from .formula import evaluate, parse_formula
from .solver import minimise_all

__all__ = ["CHECKPOINTS", "RULES", "Rule", "minimise"]

CHECKPOINTS = (1, 2, 3, 5, 7, 10, 15, 20, 30, 50)
"""Where a curve is read by default: about evenly on a log scale."""


@dataclass(frozen=True)
class Rule:
    """An update rule.

    Args:
        regret: The new accumulated regret, of ``R``, ``r`` and ``t``.
        weight: What the next policy is in proportion to, of the same, with the new ``R``.
        average: The weight of an iteration in the average policy, of ``t``.

    Raises:
        ExpressionError: A formula is none.
    """

    regret: str
    weight: str
    average: str

    def __post_init__(self) -> None:
        _ = self.formulas

    @cached_property
    def formulas(self) -> tuple[Expression, Expression, Expression]:
        """All three, read."""
        names = ("R", "r", "t")
        return parse_formula(self.regret, names), parse_formula(self.weight, names), parse_formula(self.average, ("t",))


RULES: Mapping[str, Rule] = MappingProxyType(
    {
        # Zinkevich and others 2007, "Regret minimization in games with incomplete information", NIPS 20.
        "cfr": Rule("R + r", "R", "1"),
        # Tammelin 2014, arXiv 1407.5042.
        "cfr+": Rule("max(R + r, 0)", "R", "t"),
        # Brown and Sandholm 2019, "Solving imperfect-information games via discounted regret minimization", AAAI 33.
        "linear": Rule("R + t * r", "R", "t"),
        "discounted": Rule("(R + r) * (t ** 1.5 / (t ** 1.5 + 1) if R + r > 0 else 0.5)", "R", "t ** 2"),
        # Farina, Kroer and Sandholm 2021, "Faster game solving via predictive Blackwell approachability", AAAI 35: the
        # last regrets are the prediction of the next, and the average is quadratic.
        "predictive+": Rule("max(R + r, 0)", "R + r", "t ** 2"),
    }
)


def minimise(form: SequenceForm, rule: Rule, checkpoints: Sequence[int] = CHECKPOINTS) -> Array:
    """Exploitability of the average policy along the iterations.

    Args:
        form: The game.
        rule: The update rule.
        checkpoints: After how many iterations it is measured, ascending.

    Returns:
        Shape (checkpoints,). Infinite from where the rule gives a number that is not finite or a negative average.
    """
    regret, weight, average = rule.formulas
    held = [np.zeros(seat.size) for seat in form.seats]

    def step(
        player: int, t: int, _: Sequence[int], regrets: Sequence[Array], __: Sequence[Array]
    ) -> list[tuple[Array, float]]:
        (now,) = regrets
        share = float(np.asarray(evaluate(average, {"t": float(t)})))
        held[player] = np.broadcast_to(evaluate(regret, {"R": held[player], "r": now, "t": float(t)}), now.shape)
        chances = np.broadcast_to(evaluate(weight, {"R": held[player], "r": now, "t": float(t)}), now.shape)
        return [(chances if np.isfinite(held[player]).all() else held[player], share)]

    return minimise_all([form], step, checkpoints)[0]
