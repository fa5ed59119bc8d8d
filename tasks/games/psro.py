"""Policy-space response oracles: the known meta-strategy solvers, and the loop for games by name.

A meta-strategy solver is given what player 0 wins, by the two players' policies, and says how the two populations are
mixed. The loop itself is :func:`.solver.respond_all`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import TypeAlias

import numpy as np

from ...environments.openspiel.seats import Array
from .solver import Board, respond_all

__all__ = ["META_CHECKPOINTS", "SOLVERS", "MetaSolver", "meta_curve", "nash", "projected_replicator", "regret_matching"]

META_CHECKPOINTS = (1, 2, 3, 5, 7, 10, 14, 20, 30)
"""Where a curve is read by default: about evenly on a log scale."""

MetaSolver: TypeAlias = Callable[[Array], tuple[Array, Array]]
"""Takes what player 0 wins, shape (policies of 0, policies of 1); gives the two mixtures."""


def uniform(payoffs: Array) -> tuple[Array, Array]:
    """All policies alike. With it the loop is fictitious play (Brown 1951) in the order of simultaneous moves."""
    rows, columns = payoffs.shape
    return np.full(rows, 1 / rows), np.full(columns, 1 / columns)


def nash(payoffs: Array) -> tuple[Array, Array]:
    """An equilibrium of the matrix game, by two linear programs. With it the loop is the double oracle.

    Source: McMahan, Gordon and Blum (2003), "Planning in the presence of cost functions controlled by an adversary",
    ICML 20. Of several equilibria the solver's is taken.

    Raises:
        RuntimeError: The solver failed.
    """
    return _maximin(payoffs), _maximin(-payoffs.T)


def _maximin(payoffs: Array) -> Array:
    from scipy.optimize import linprog

    rows, columns = payoffs.shape
    # Variables: the mixture, and the value v that is to be large; v - x A[:, j] <= 0 for every column.
    found = linprog(
        np.append(np.zeros(rows), -1.0),
        A_ub=np.hstack([-payoffs.T, np.ones((columns, 1))]),
        b_ub=np.zeros(columns),
        A_eq=np.append(np.ones(rows), 0.0)[None],
        b_eq=np.ones(1),
        bounds=[(0, None)] * rows + [(None, None)],
        method="highs",
    )
    if found.status != 0 or found.x is None:
        raise RuntimeError(f"the linear program of a matrix game of {payoffs.shape} was not solved: {found.message}")
    return np.maximum(found.x[:rows], 0.0)


def projected_replicator(
    payoffs: Array, steps: int = 2000, size: float = 0.05, least: float = 1e-6
) -> tuple[Array, Array]:
    """Projected replicator dynamics from the uniform mixture, averaged over all steps.

    Source: Lanctot and others (2017), arXiv 1711.00832, section 3.2. OpenSpiel's default is 100,000 steps of .001; the
    same way in fewer, longer steps is what small games need.

    Args:
        payoffs: What player 0 wins.
        steps: Of the dynamics.
        size: Of a step.
        least: What every policy keeps of the mixture.
    """
    sides = [payoffs, -payoffs.T]
    now = list(uniform(payoffs))
    total = [part.copy() for part in now]
    for _ in range(steps):
        wins = [sides[player] @ now[1 - player] for player in (0, 1)]
        now = [_projected(x + size * x * (w - w @ x), least) for x, w in zip(now, wins, strict=True)]
        total = [a + b for a, b in zip(total, now, strict=True)]
    return total[0] / (steps + 1), total[1] / (steps + 1)


def _projected(point: Array, least: float) -> Array:
    """The nearest mixture with at least so much of everything (Held, Wolfe and Crowder 1974)."""
    places = np.arange(1, len(point) + 1)
    ordered = np.sort(point)[::-1]
    shifts = (1 - np.cumsum(ordered) - (len(point) - places) * least) / places
    last = int(np.flatnonzero(ordered + shifts > least)[-1])
    return np.maximum(point + shifts[last], least)


def regret_matching(payoffs: Array, steps: int = 500) -> tuple[Array, Array]:
    """The average of regret matching, both players at once.

    Source: Hart and Mas-Colell (2000), "A simple adaptive procedure leading to correlated equilibrium",
    Econometrica 68, 1127-1150.
    """
    sides = [payoffs, -payoffs.T]
    held = [np.zeros(n) for n in payoffs.shape]
    total = [np.zeros(n) for n in payoffs.shape]
    for _ in range(steps):
        positive = [np.maximum(part, 0.0) for part in held]
        now = [p / p.sum() if p.sum() > 0 else np.full(len(p), 1 / len(p)) for p in positive]
        wins = [sides[player] @ now[1 - player] for player in (0, 1)]
        held = [h + w - w @ x for h, w, x in zip(held, wins, now, strict=True)]
        total = [a + b for a, b in zip(total, now, strict=True)]
    return total[0] / steps, total[1] / steps


SOLVERS: Mapping[str, MetaSolver] = MappingProxyType(
    {
        "uniform": uniform,
        "nash": nash,
        "projected-replicator": projected_replicator,
        "regret-matching": regret_matching,
    }
)


def meta_curve(game: Board, solver: MetaSolver, checkpoints: Sequence[int] = META_CHECKPOINTS) -> Array:
    """Exploitability along the additions to the populations, for a solver that does not look at time.

    Args:
        game: The game.
        solver: Mixes the populations, for the responses and for the measure alike.
        checkpoints: See :func:`.solver.respond_all`.

    Returns:
        Shape (checkpoints,).
    """
    return respond_all([game], lambda _t, _final, _places, payoffs: [solver(p) for p in payoffs], checkpoints)[0]
