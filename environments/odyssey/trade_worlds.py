"""Trade worlds from a seed: every one carries the informed oracle's plan as proof of what there is to gain.

How a world is drawn. Weights, first prices, news and chance come from four generators of their own, so none
foretells another, and no two worlds share their news. A stock's weights point in a random direction, and their size is
proportional to its first price times a factor drawn apart: so cheap and dear stocks move equally in per cent, and
neither a price nor a name tells which stock to hold. Numbers are drawn with two decimals, so that prices have four and
can be shown in full. A world is kept if no two stocks are near copies of each other, no price comes close to the floor,
and the oracle gains enough over the random trader for a score to be well conditioned.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from types import MappingProxyType
from typing import Any

import numpy as np

from ...suite.errors import UsageError
from ...suite.seeds import derive, generator
from .presets import difficulty_key, preset
from .trade_rules import DECIMALS, MAX_DAYS, TradeRules
from .trade_solver import TradePlan, hindsight_bound, plan, random_level

__all__ = ["TRADE_PRESETS", "TradeDifficulty", "TradeWorld", "generate"]

CASH = 50_000.0
NEWS = 0.1


@dataclass(frozen=True, slots=True)
class TradeDifficulty:
    """What worlds to draw.

    Args:
        min_stocks: The fewest stocks, at least 2.
        max_stocks: The most, at most 20; the number is drawn uniformly.
        min_factors: The fewest factors, at least 2.
        max_factors: The most, at most 20.
        horizon: The days of an episode.
        min_noise: The least noise: the standard deviation of what chance does to a price in a day, as a multiple of
            what the news does (mean over stocks).
        max_noise: The most; drawn uniformly.
        volatility: Standard deviation of what the news does to a price in a day, as a share of the first price; each
            stock has half to one and a half times that.
        min_price: The lowest first price.
        max_price: The highest.
        max_alike: No two stocks' weights have a cosine of larger size.
        min_left: No price falls below this share of its first.
        min_edge: The oracle's growth beyond the random trader's, a day, is at least this.
        attempts: The most worlds to draw until one fits; after that :func:`generate` raises.

    Raises:
        UsageError: A value is outside its range.
    """

    min_stocks: int
    max_stocks: int
    min_factors: int
    max_factors: int
    horizon: int
    min_noise: float
    max_noise: float
    volatility: float = 0.008
    min_price: float = 40.0
    max_price: float = 120.0
    max_alike: float = 0.95
    min_left: float = 0.25
    min_edge: float = 0.002
    attempts: int = 500

    def __post_init__(self) -> None:
        for name, low, high in (
            ("min_stocks", 2, 20),
            ("max_stocks", self.min_stocks, 20),
            ("min_factors", 2, 20),
            ("max_factors", self.min_factors, 20),
            ("horizon", 1, MAX_DAYS - 1),
            ("min_noise", 0, 10),
            ("max_noise", self.min_noise, 10),
            ("volatility", 1e-4, 0.1),
            ("min_price", 1, 1e6),
            ("max_price", self.min_price, 1e6),
            ("max_alike", 0, 1),
            ("min_left", 0, 1),
            ("min_edge", 1e-6, 1),
            ("attempts", 1, 10**9),
        ):
            value = getattr(self, name)
            if not low <= value <= high:
                raise UsageError(f"TradeDifficulty: {name} lies from {low:g} to {high:g} here, unlike {value}.")

    @classmethod
    def named(cls, difficulty: str | TradeDifficulty) -> TradeDifficulty:
        """The preset of a name; a difficulty is handed through.

        Raises:
            UsageError: There is no preset of that name.
        """
        return preset(difficulty, TRADE_PRESETS, "trade")


TRADE_PRESETS: Mapping[str, TradeDifficulty] = MappingProxyType(
    {
        "smoke": TradeDifficulty(3, 3, 2, 2, horizon=8, min_noise=0.1, max_noise=0.25),
        "gate": TradeDifficulty(4, 4, 3, 3, horizon=20, min_noise=0.1, max_noise=0.5),
        "lite": TradeDifficulty(5, 9, 4, 6, horizon=120, min_noise=0.25, max_noise=1.0),
        "challenge": TradeDifficulty(8, 10, 6, 8, horizon=500, min_noise=0.5, max_noise=1.0, volatility=0.006),
    }
)


@dataclass(frozen=True, slots=True)
class TradeWorld:
    """A world, and the proof of what there is to gain.

    Args:
        config: As :class:`.TradeEnv` takes it.
        horizon: The days of an episode.
        plan: The informed oracle's orders, one a day.
        oracle: What they make: log(final value / initial cash), the top of the scale.
        random: What the random trader makes in expectation, likewise: its bottom.
        hindsight: What no strategy can exceed, likewise.
    """

    config: dict[str, Any]
    horizon: int
    plan: tuple[str, ...]
    oracle: float
    random: float
    hindsight: float


def _draw(difficulty: TradeDifficulty, path: tuple[str | int, ...]) -> dict[str, Any]:
    """One random world, whatever there is to gain in it."""
    sizes = generator("odyssey/trade/sizes", *path)
    stocks = int(sizes.integers(difficulty.min_stocks, difficulty.max_stocks + 1))
    factors = int(sizes.integers(difficulty.min_factors, difficulty.max_factors + 1))
    prices = generator("odyssey/trade/prices", *path).uniform(difficulty.min_price, difficulty.max_price, stocks)
    weights = generator("odyssey/trade/weights", *path)
    directions = weights.normal(size=(stocks, factors))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    lengths = prices * difficulty.volatility / NEWS * weights.uniform(0.5, 1.5, stocks)
    matrix = np.round(directions * lengths[:, None], 2)
    changes = np.round(generator("odyssey/trade/news", *path).normal(0.0, NEWS, (difficulty.horizon + 1, factors)), 2)
    ratio = sizes.uniform(difficulty.min_noise, difficulty.max_noise)
    # + 0.0 turns -0.0 into 0.0, here and below.
    return {
        "num_days": difficulty.horizon + 1,
        "stocks": [f"S{index}" for index in range(stocks)],
        "variables": [f"F{index}" for index in range(factors)],
        "dependency_matrix": (matrix + 0.0).tolist(),
        "initial_prices": np.round(prices, 2).tolist(),
        "initial_variables": [0.0] * factors,
        "initial_cash": CASH,
        "price_noise_scale": round(float(ratio * NEWS * lengths.mean()), DECIMALS),
        "noise_seed": derive("odyssey/trade/noise", *path) >> 10,
        "timeline": {
            f"day_{day}": {"variable_changes": row} for day, row in enumerate((changes + 0.0).tolist(), start=1)
        },
    }


def _alike(rules: TradeRules) -> float:
    """The largest size of a cosine between two stocks' weights."""
    rows = np.asarray(rules.matrix)
    sizes = np.linalg.norm(rows, axis=1)
    if not sizes.all():
        return 1.0
    rows = rows / sizes[:, None]
    return max(abs(float(rows[i] @ rows[j])) for i, j in combinations(range(len(rows)), 2))


def generate(difficulty: str | TradeDifficulty, *seed_path: str | int) -> TradeWorld:
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
    difficulty = TradeDifficulty.named(difficulty)
    key = difficulty_key(difficulty, seed_path)
    days = difficulty.horizon
    for attempt in range(difficulty.attempts):
        config = _draw(difficulty, (key, *seed_path, attempt))
        rules = TradeRules.from_config(config)
        if _alike(rules) > difficulty.max_alike:
            continue
        path = np.asarray(rules.price_path(days))
        if (path < difficulty.min_left * path[0]).any():
            continue
        chance, found = random_level(rules, days).log_growth, plan(rules, days)
        if found.log_growth - chance >= difficulty.min_edge * days:
            return _world(config, days, found, chance, hindsight_bound(rules, days))
    raise UsageError(
        f"No trade world fits after {difficulty.attempts} attempts: {difficulty}. "
        "Lower min_edge, min_left or max_noise, raise max_alike or volatility, or allow more attempts."
    )


def _world(config: dict[str, Any], days: int, found: TradePlan, chance: float, bound: float) -> TradeWorld:
    return TradeWorld(config, days, found.orders, found.log_growth, chance, bound)
