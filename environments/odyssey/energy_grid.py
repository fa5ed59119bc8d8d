"""The grid itself: numbers in, numbers out, one day after the other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .energy_rules import BATTERY_PRICE, COLLAPSE, WEIGHT, EnergyRules

__all__ = ["EnergyGrid"]

_LEAST_SUPPLY = 1e-6


class EnergyGrid:
    """One run through an energy world, from its first day.

    Args:
        rules: The world.

    Attributes:
        day: Days over.
        rated: The last commands, clamped: thermal, wind, solar, battery.
        output: What the plants made on the last day: thermal, wind, solar.
        flow: What the battery gave on the last day; negative where it took.
        charge: What the battery holds.
        supply: What the last day supplied, before the floor that keeps shares defined.
        cost: What the last day cost.
        stability: The last day's stability.
        sum_supply: Supply over all days.
        sum_thermal: Thermal output over all days.
        sum_ramp: Change of commands over all days.
        sum_unmet: Missed demand as a share of the day's demand, over all days.
        sum_overrun: Cost beyond the budget, over all days.
        streak: Days with a violation up to now, one after the other.
        violations: Days with a violation.
        short: Whether the last day missed its demand.
        over: Whether the last day overran its budget.
    """

    __slots__ = (
        "charge",
        "cost",
        "day",
        "flow",
        "output",
        "over",
        "rated",
        "rules",
        "short",
        "stability",
        "streak",
        "sum_overrun",
        "sum_ramp",
        "sum_stability",
        "sum_supply",
        "sum_thermal",
        "sum_unmet",
        "supply",
        "violations",
    )

    def __init__(self, rules: EnergyRules) -> None:
        self.rules = rules
        self.day = 0
        thermal, wind, solar, _ = rules.initial
        self.rated: tuple[float, float, float, float] = (thermal, wind, solar, 0.0)
        self.output: tuple[float, float, float] = (0.0, 0.0, 0.0)
        self.flow = self.charge = self.supply = self.cost = 0.0
        self.stability = rules.initial_stability
        self.sum_stability = self.sum_supply = self.sum_thermal = 0.0
        self.sum_ramp = self.sum_unmet = self.sum_overrun = 0.0
        self.streak = self.violations = 0
        self.short = self.over = False

    @classmethod
    def at(cls, rules: EnergyRules, state: Mapping[str, Any]) -> EnergyGrid:
        """Set up a grid in a given state, as far as it decides what comes.

        Args:
            rules: The world.
            state: The state, named as the environment's ``info["state"]`` names it.
        """
        grid = cls(rules)
        grid.day = state["t"]
        rated = state["prev_rated"]
        grid.rated = (rated["thermal"], rated["wind"], rated["solar"], rated["battery"])
        grid.charge = state["battery_cur"]
        grid.sum_stability = state["stability_avg"] * grid.day
        grid.sum_supply, grid.sum_thermal = state["supply_total"], state["cum_carbon"]
        grid.streak = state["violation_days_cont"]
        return grid

    @property
    def mean_stability(self) -> float:
        """The mean of the days' stability; before the first day what the world starts with."""
        return self.sum_stability / self.day if self.day else self.rules.initial_stability

    @property
    def carbon(self) -> float:
        """The share of thermal output in supply, over all days; 0 before the first."""
        return self.sum_thermal / self.sum_supply if self.day else 0.0

    @property
    def collapsed(self) -> bool:
        """Whether too many days in a row had a violation."""
        return self.streak >= COLLAPSE

    @property
    def done(self) -> bool:
        """Whether no day is left to play."""
        return self.day >= self.rules.horizon or self.streak >= COLLAPSE

    @property
    def success(self) -> bool:
        """Whether the run is over and both targets are met without a collapse."""
        rules = self.rules
        return (
            self.day >= rules.horizon
            and self.streak < COLLAPSE
            and self.mean_stability > rules.target_stability
            and self.carbon < rules.target_carbon
        )

    def advance(self, thermal: float, wind: float, solar: float, battery: float) -> None:
        """Play a day.

        Args:
            thermal: Rated units; what lies outside 0 to the capacity is clamped, and NaN becomes the capacity.
            wind: The same.
            solar: The same.
            battery: What to take from the battery, or, if negative, to put into it; clamped to its capacity.
        """
        rules, day = self.rules, self.day
        most_thermal, most_wind, most_solar, most_battery = rules.capacity
        # In this order of comparisons NaN becomes the capacity, as in the reference.
        thermal = max(0.0, min(most_thermal, thermal))
        wind = max(0.0, min(most_wind, wind))
        solar = max(0.0, min(most_solar, solar))
        battery = max(-most_battery, min(most_battery, battery))
        made_thermal, made_wind, made_solar = output = (
            thermal * rules.thermal[day],
            wind * rules.wind[day],
            solar * rules.solar[day],
        )
        flow = min(battery, self.charge) if battery >= 0 else -min(-battery, most_battery - self.charge)
        self.charge -= flow
        self.supply = made_thermal + made_wind + made_solar + flow
        supply = max(_LEAST_SUPPLY, self.supply)
        demand, budget = rules.demand[day], rules.budget[day]
        prices = rules.prices
        cost = prices[0] * thermal + prices[1] * wind + prices[2] * solar + BATTERY_PRICE * abs(flow)
        short, over = supply < demand, cost > budget
        before = self.rated
        ramp = abs(thermal - before[0]) + abs(wind - before[1]) + abs(solar - before[2]) + abs(battery - before[3])
        stability = 1 - WEIGHT * min(1.0, ramp / rules.full_ramp) - WEIGHT * over - WEIGHT * short
        self.stability = max(0.0, min(1.0, stability))
        self.sum_stability += self.stability
        self.sum_supply += supply
        self.sum_thermal += made_thermal
        self.sum_ramp += ramp
        if short:
            self.sum_unmet += 1 - supply / demand
        if over:
            self.sum_overrun += cost - budget
        if short or over:
            self.streak += 1
            self.violations += 1
        else:
            self.streak = 0
        self.rated, self.output = (thermal, wind, solar, battery), output
        self.flow, self.cost, self.short, self.over = flow, cost, short, over
        self.day = day + 1
