"""The rules of one energy world: what plants yield, what they cost, what is asked of the grid."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ...suite.errors import UsageError
from .quotes import quote

__all__ = ["BATTERY_PRICE", "COLLAPSE", "NAMES", "WEIGHT", "EnergyRules", "describe_rules", "phase_means"]

NAMES = ("thermal", "wind", "solar", "battery")
COLLAPSE = 3
"""So many days with a violation, one after the other, end the game."""
WEIGHT = 0.5
"""What a day's stability loses to a full ramp, to a missed demand and to an overrun budget, each."""
BATTERY_PRICE = 0.1
"""What a unit into or out of the battery costs, whatever the config's prices say: the reference does not read them."""


def _need(holds: bool, message: str) -> None:
    if not holds:
        raise UsageError(f"Energy config: {message}")


def _number(value: Any, name: str) -> float:
    _need(
        isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value),
        f"{name} is a finite number, not {quote(repr(value))}.",
    )
    return float(value)


def _mapping(value: Any, name: str) -> Mapping[str, Any]:
    _need(isinstance(value, Mapping), f"{name} is a mapping, not {type(value).__name__}.")
    return value


def _get(mapping: Mapping[str, Any], key: str, of: str) -> Any:
    _need(key in mapping, f"{of} has no {key!r}.")
    return mapping[key]


def _series(value: Any, name: str, horizon: int) -> tuple[float, ...]:
    _need(
        isinstance(value, Sequence) and not isinstance(value, str) and len(value) >= horizon,
        f"{name} is a list of at least {horizon} numbers, one for each day of the horizon.",
    )
    return tuple(_number(item, f"{name}[{day}]") for day, item in enumerate(value[:horizon]))


def _four(value: Any, name: str) -> tuple[float, float, float, float]:
    mapping = _mapping(value, name)
    thermal, wind, solar, battery = (_number(_get(mapping, key, name), f"{name}[{key!r}]") for key in NAMES)
    return thermal, wind, solar, battery


@dataclass(frozen=True, slots=True)
class EnergyRules:
    """A validated config. Series have one value a day; tuples of four follow :data:`NAMES`.

    Args:
        horizon: The days of the game.
        target_stability: The mean of the days' stability must end above it.
        target_carbon: The share of thermal power in all supply must end below it.
        wind: What a rated unit of wind yields.
        solar: What a rated unit of solar yields.
        thermal: What a rated unit of thermal yields.
        wind_period: The days after which the pattern of wind comes again.
        solar_period: The same for solar.
        demand: What must be supplied.
        budget: What may be spent.
        capacity: The most rated units; of the battery, what it holds and what it can take or give in a day.
        initial: The rated units of the day before the first, from which the first ramp is counted.
        initial_stability: The stability shown before the first day.
        prices: What a rated unit costs a day; the fourth is not used (:data:`BATTERY_PRICE`).
    """

    horizon: int
    target_stability: float
    target_carbon: float
    wind: tuple[float, ...]
    solar: tuple[float, ...]
    thermal: tuple[float, ...]
    wind_period: int
    solar_period: int
    demand: tuple[float, ...]
    budget: tuple[float, ...]
    capacity: tuple[float, float, float, float]
    initial: tuple[float, float, float, float]
    initial_stability: float
    prices: tuple[float, float, float, float]

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> EnergyRules:
        """Read a config.

        Args:
            config: Keys ``horizon``; ``target_stability`` and ``target_carbon``; ``world`` with ``eff_wind``,
                ``eff_solar``, ``eff_thermal`` (lists), ``wind_period`` and ``solar_period``; ``demand`` and ``budget``
                (lists); ``capacity``, ``initial_rated`` and ``prices``, each with ``thermal``, ``wind``, ``solar`` and
                ``battery``; ``initial_stability``, 1 where it is missing. Lists hold a number for each day of the
                horizon; what they have beyond, and further keys, do not matter.

        Returns:
            The rules.

        Raises:
            UsageError: The config is malformed; the message names the key and what would be right.
        """
        config = _mapping(config, "the config")
        horizon = _get(config, "horizon", "the config")
        _need(
            isinstance(horizon, int) and not isinstance(horizon, bool) and horizon >= 1,
            f"'horizon' is a number of days, 1 or more, not {quote(repr(horizon))}.",
        )
        world = _mapping(_get(config, "world", "the config"), "'world'")
        periods = []
        for key in ("wind_period", "solar_period"):
            period = _get(world, key, "'world'")
            _need(
                isinstance(period, int) and not isinstance(period, bool) and period >= 1,
                f"{key!r} is a number of days, 1 or more, not {quote(repr(period))}.",
            )
            periods.append(period)
        capacity = _four(_get(config, "capacity", "the config"), "'capacity'")
        _need(all(value >= 0 for value in capacity) and sum(capacity) > 0, "'capacity' is 0 or more, and not all 0.")
        prices = _four(_get(config, "prices", "the config"), "'prices'")
        _need(all(value >= 0 for value in prices), "'prices' are 0 or more.")
        demand = _series(_get(config, "demand", "the config"), "'demand'", horizon)
        budget = _series(_get(config, "budget", "the config"), "'budget'", horizon)
        _need(all(value > 0 for value in demand + budget), "'demand' and 'budget' are above 0 on every day.")
        return cls(
            horizon=horizon,
            target_stability=_number(_get(config, "target_stability", "the config"), "'target_stability'"),
            target_carbon=_number(_get(config, "target_carbon", "the config"), "'target_carbon'"),
            wind=_series(_get(world, "eff_wind", "'world'"), "'eff_wind'", horizon),
            solar=_series(_get(world, "eff_solar", "'world'"), "'eff_solar'", horizon),
            thermal=_series(_get(world, "eff_thermal", "'world'"), "'eff_thermal'", horizon),
            wind_period=periods[0],
            solar_period=periods[1],
            demand=demand,
            budget=budget,
            capacity=capacity,
            initial=_four(_get(config, "initial_rated", "the config"), "'initial_rated'"),
            initial_stability=_number(config.get("initial_stability", 1.0), "'initial_stability'"),
            prices=prices,
        )

    @property
    def full_ramp(self) -> float:
        """The change of commands that costs a day the whole weight of ramping."""
        return sum(self.capacity)


def phase_means(series: Sequence[float], period: int) -> list[float]:
    """Average a series over its cycles.

    Args:
        series: One number a day.
        period: The days of a cycle.

    Returns:
        For each place in the cycle that the series reaches, the mean over the days at that place.
    """
    return [math.fsum(series[place::period]) / len(series[place::period]) for place in range(min(period, len(series)))]


def _listed(values: Sequence[float]) -> str:
    return ", ".join(f"{value:.3f}" for value in values)


def _cycle(name: str, series: Sequence[float], period: int) -> str:
    """What a plant yields on each day of its cycle, and how closely the days keep to it."""
    means = phase_means(series, period)
    off = max(abs(value - means[day % period]) for day, value in enumerate(series))
    return (
        f"A rated unit of {name} yields a number that comes again every {period} days. From the first day on it is, "
        f"day by day: {_listed(means)}; then from the start again. No day is off by more than {off:.3f}."
    )


def describe_rules(config: Mapping[str, Any]) -> str:
    """Say in plain English everything that decides a game, the patterns of wind and solar included.

    What is not told is chance: by how much a single day is off its pattern, and the demand of days to come.

    Args:
        config: As for :meth:`EnergyRules.from_config`.

    Returns:
        One rule a line.

    Raises:
        UsageError: The config is malformed.
    """
    rules = EnergyRules.from_config(config)
    factors = [budget / demand for budget, demand in zip(rules.budget, rules.demand, strict=True)]
    low, high = min(factors), max(factors)
    budget = f"{low:.2f}" if f"{low:.2f}" == f"{high:.2f}" else f"{low:.2f} to {high:.2f}"
    battery = rules.capacity[3]
    lines = [
        _cycle("wind", rules.wind, rules.wind_period),
        _cycle("solar", rules.solar, rules.solar_period),
        f"A rated unit of thermal yields from {min(rules.thermal):.3f} to {max(rules.thermal):.3f}, without a pattern.",
        f"Demand lies from {min(rules.demand):.0f} to {max(rules.demand):.0f} and changes slowly; the budget is "
        f"{budget} for each unit of demand.",
        f"A day costs {rules.prices[0]:g} for each rated unit of thermal, {rules.prices[1]:g} of wind, "
        f"{rules.prices[2]:g} of solar, whatever they yield, and {BATTERY_PRICE:g} for each unit into or out of the "
        "battery.",
        f"The battery is empty at first and holds at most {battery:g}. A command above 0 gives that much, or all there "
        "is; one below 0 takes that much out of the day's supply, or as much as there is room for. Nothing is lost.",
        "Supply is what the plants yield plus what the battery gives, or less what it takes. Demand is missed if "
        "supply is below it; the budget is overrun if the cost is above it. Supply beyond demand is lost, but counts "
        "as supply.",
        f"A day's stability is 1, less {WEIGHT:g} if demand is missed, less {WEIGHT:g} if the budget is overrun, less "
        f"{WEIGHT:g} * change / {rules.full_ramp:g}, and never below 0. The change is the sum, over thermal, wind, "
        "solar and battery, of how far the command differs from the day before's (change beyond "
        f"{rules.full_ramp:g} counts as {rules.full_ramp:g}).",
        "The stability that counts is the mean over all days; the thermal share is all thermal output over all supply.",
        f"You win if, after day {rules.horizon}, stability is above {rules.target_stability:g} and the thermal share "
        f"below {rules.target_carbon:g}. After {COLLAPSE} days in a row on each of which demand was missed or the "
        "budget overrun, the game is lost at once.",
    ]
    return "\n".join(f"- {line}" for line in lines)
