"""Plans for an energy world whose every day is known: a linear programme, and the replay that proves its answer.

The programme commands the plants for all days left, so that demand is met and the budget kept on each, the thermal
share ends where it is asked to end, and the commands change as little as possible in all. Change of commands is all
that then costs stability, so the plan with the least of it has the greatest stability of all plans without a violation.

What is exact and what is not: a plan that comes back has been replayed and reaches the targets. None coming back means
that no plan *without a violation*, and with the small slack that rounding needs, reaches them; a plan that accepts a
violation might.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.optimize import linprog
from scipy.sparse import csr_matrix

from ...suite.errors import UsageError
from .energy_actions import Command
from .energy_grid import EnergyGrid
from .energy_rules import BATTERY_PRICE, COLLAPSE, EnergyRules

__all__ = ["EnergyPlan", "replan", "solve"]

_DECIMALS = 3
# Covers the rounding of commands: 0.0005 of each of four, times yields and prices.
_SLACK = 0.03
# Flows cost next to nothing; without this the programme would charge and discharge on one day.
_FLOW_WEIGHT = 1e-3


@dataclass(frozen=True, slots=True)
class EnergyPlan:
    """Commands for all days left, and where they lead.

    Args:
        commands: One a day: thermal, wind, solar, battery.
        stability: The mean stability of the whole game at its end.
        carbon: The thermal share of the whole game at its end.
    """

    commands: tuple[Command, ...]
    stability: float
    carbon: float


def solve(config: Mapping[str, Any], *, carbon_slack: float = 0.0005) -> EnergyPlan | None:
    """Plan a whole game.

    Args:
        config: As for :meth:`.EnergyRules.from_config`.
        carbon_slack: How far below its target the thermal share has to end.

    Returns:
        The plan, which succeeds when it is replayed; or None, see the module.

    Raises:
        UsageError: The config is malformed.
    """
    return _plan(EnergyGrid(EnergyRules.from_config(config)), carbon_slack)


def replan(config: Mapping[str, Any], state: Mapping[str, Any], *, carbon_slack: float = 0.0005) -> EnergyPlan | None:
    """Plan the rest of a game.

    Args:
        config: As for :meth:`.EnergyRules.from_config`.
        state: ``info["state"]`` of the environment.
        carbon_slack: How far below its target the thermal share has to end.

    Returns:
        The plan for the days left, the first of its commands for the day to come; or None, see the module.

    Raises:
        UsageError: The config is malformed, or the state is not of this world.
    """
    rules = EnergyRules.from_config(config)
    if not 0 <= state["t"] <= rules.horizon:
        raise UsageError(f"Day {state['t']} is none of this world's: it has {rules.horizon}.")
    return _plan(EnergyGrid.at(rules, state), carbon_slack)


def _plan(start: EnergyGrid, carbon_slack: float) -> EnergyPlan | None:
    if start.streak >= COLLAPSE:
        return None
    commands: tuple[Command, ...] = ()
    if start.day < start.rules.horizon:
        flows = _optimum(start, start.rules.target_carbon - carbon_slack)
        if flows is None:
            return None
        commands = _rounded(flows, start.charge)
    for command in commands:
        start.advance(*command)
    return EnergyPlan(commands, start.mean_stability, start.carbon) if start.success else None


def _rounded(flows: np.ndarray, charge: float) -> tuple[Command, ...]:
    """Round commands; the battery by its charge, so that no rounded flow asks for more than there is."""
    commands = []
    before = charge
    for thermal, wind, solar, after in flows:
        after = round(float(after), _DECIMALS)
        plants = (round(max(0.0, float(value)), _DECIMALS) for value in (thermal, wind, solar))
        commands.append((*plants, round(before - after, 12) + 0.0))
        before = after
    return tuple(commands)


def _optimum(start: EnergyGrid, carbon: float) -> np.ndarray | None:
    """Solve the programme: thermal, wind, solar and the battery's charge in the evening, a row a day."""
    rules, first = start.rules, start.day
    days = rules.horizon - first
    at = np.arange(days)
    # Ten blocks of variables, a column a day in each: the three plants, into and out of the battery, the four changes
    # of commands, the charge in the evening.
    plants, out, into, change, charge = [0, 1, 2], 3, 4, [5, 6, 7, 8], 9
    yields = [np.array(series[first:]) for series in (rules.thermal, rules.wind, rules.solar)]
    parts: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
    bounds_above: list[np.ndarray] = []
    row = 0

    def add(terms: Sequence[tuple[int, float | np.ndarray, int]], above: np.ndarray) -> None:
        """Add a row a day: sum of factor * variable of the day (lag 0) or the day before (lag 1) <= above."""
        nonlocal row
        for block, factor, lag in terms:
            values = np.broadcast_to(factor, days)[lag:]
            parts.append((row + at[lag:], block * days + at[lag:] - lag, values))
        bounds_above.append(above)
        row += days

    demand, budget = np.array(rules.demand[first:]), np.array(rules.budget[first:])
    add([*((k, -yields[k], 0) for k in plants), (out, -1.0, 0), (into, 1.0, 0)], -(demand + _SLACK))
    prices = [(k, rules.prices[k], 0) for k in plants]
    add([*prices, (out, BATTERY_PRICE, 0), (into, BATTERY_PRICE, 0)], budget - _SLACK)
    for k in range(4):
        command = [(k, 1.0)] if k < 3 else [(out, 1.0), (into, -1.0)]
        for sign in (1.0, -1.0):
            terms: list[tuple[int, float | np.ndarray, int]] = [(change[k], -1.0, 0)]
            for block, factor in command:
                terms += [(block, sign * factor, 0), (block, -sign * factor, 1)]
            above = np.zeros(days)
            above[0] = sign * start.rated[k]
            add(terms, above)
    for k in plants:
        parts.append((np.full(days, row), k * days + at, yields[k] * ((k == 0) - carbon)))
    parts += [
        (np.full(days, row), out * days + at, np.full(days, -carbon)),
        (np.full(days, row), into * days + at, np.full(days, carbon)),
    ]
    bounds_above.append(np.array([carbon * start.sum_supply - start.sum_thermal]))
    rows, columns, values = (np.concatenate(piece) for piece in zip(*parts, strict=True))
    matrix = csr_matrix((values, (rows, columns)), shape=(row + 1, 10 * days))
    balance = csr_matrix(
        (
            np.concatenate([np.ones(days), -np.ones(days - 1), np.ones(days), -np.ones(days)]),
            (
                np.concatenate([at, at[1:], at, at]),
                np.concatenate([charge * days + at, charge * days + at[1:] - 1, out * days + at, into * days + at]),
            ),
        ),
        shape=(days, 10 * days),
    )
    held = np.zeros(days)
    held[0] = start.charge
    goal = np.repeat([0.0, 0, 0, _FLOW_WEIGHT, _FLOW_WEIGHT, 1, 1, 1, 1, 0], days)
    most = np.repeat(
        [*rules.capacity[:3], rules.capacity[3], rules.capacity[3], *[np.inf] * 4, rules.capacity[3]], days
    )
    found = linprog(  # pyright: ignore[reportCallIssue]  # see A_ub
        goal,
        A_ub=matrix,  # pyright: ignore[reportArgumentType]  # SciPy takes sparse matrices here; its stubs do not
        b_ub=np.concatenate(bounds_above),
        A_eq=balance,  # pyright: ignore[reportArgumentType]  # the same
        b_eq=held,
        bounds=np.column_stack([np.zeros_like(most), most]),  # pyright: ignore[reportArgumentType]  # an array will do
        method="highs",
    )
    if found.status != 0:
        return None
    blocks = found.x.reshape(10, days)
    return blocks[[0, 1, 2, charge]].T
