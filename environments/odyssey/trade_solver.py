"""What a trade world is worth: the informed oracle, bounds that nobody beats, and the chance level.

Three facts make this simple. No player moves a price, so a world's prices are one fixed path. Nothing is lost by
trading, so today's holdings do not bind tomorrow: every day is a problem of its own, and maximising the expected
logarithm of the value day by day maximises it at the end (Kelly 1956; Breiman 1961). And a portfolio's growth in one
day is a mean of its parts' growth, so it is at most that of the best part.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from .trade_orders import Order
from .trade_rules import DECIMALS, FLOOR, TradeRules

__all__ = [
    "RandomLevel",
    "TradePlan",
    "best_order",
    "expected_growth",
    "hindsight_bound",
    "informed_bound",
    "plan",
    "random_level",
]

_TICKS = 10**DECIMALS


def expected_growth(price: float, expected: float, noise: float) -> float:
    """The expected growth of a stock's logarithm in one day, to second order in the noise.

    Args:
        price: Its price today.
        expected: Its expected price tomorrow.
        noise: The standard deviation of tomorrow's price.

    Returns:
        E log(tomorrow / today), about log(expected / price) - noise**2 / (2 * expected**2).
    """
    expected = max(expected, FLOOR)
    return math.log(expected / price) - 0.5 * (noise / expected) ** 2


def best_order(prices: Mapping[str, float], cash: float, held: Mapping[str, int], growth: Mapping[str, float]) -> Order:
    """The order that puts all money into the stocks that are expected to grow, the best one first.

    As many shares of the best stock as the total value buys, for the rest as many of the next best, and so on; stocks
    that are not expected to grow are sold. What stays idle is less than the price of one share of the best stock.

    Args:
        prices: Prices, multiples of 0.0001.
        cash: Money, a multiple of 0.0001.
        held: Shares held.
        growth: Expected growth of each stock; only its sign and order count.

    Returns:
        The order.
    """
    ticks = {stock: round(price * _TICKS) for stock, price in prices.items()}
    left = round(cash * _TICKS) + sum(held[stock] * ticks[stock] for stock in ticks)
    wanted = dict.fromkeys(ticks, 0)
    for stock in sorted((s for s in ticks if growth[s] > 0), key=lambda s: -growth[s]):
        wanted[stock], left = divmod(left, ticks[stock])
    return Order(
        sell={s: held[s] - wanted[s] for s in ticks if held[s] > wanted[s]},
        buy={s: wanted[s] - held[s] for s in ticks if wanted[s] > held[s]},
    )


@dataclass(frozen=True, slots=True)
class TradePlan:
    """What the informed oracle does in a world, and what it makes of it.

    Args:
        orders: One order a day, as text.
        log_growth: log(final value / initial cash).
    """

    orders: tuple[str, ...]
    log_growth: float


def plan(config: Mapping[str, Any] | TradeRules, days: int) -> TradePlan:
    """Play the informed oracle: it knows the weights, the news of the day and the size of the noise, not its draws.

    Every day it holds the stock with the largest expected growth, or cash if none is expected to grow. Without noise no
    strategy gains more, apart from the few shares' worth that whole shares leave idle (:func:`hindsight_bound`
    bounds that); with noise none gains more in expectation, apart from what spreading over stocks would save, which is
    less than half the chosen stock's relative noise variance a day (:func:`informed_bound` bounds both).

    Args:
        config: As for :meth:`.TradeRules.from_config`, or the rules themselves.
        days: The days to play, each a usable action; at most ``num_days``.
    """
    rules = _rules(config)
    path = [[round(price, DECIMALS) for price in prices] for prices in rules.price_path(days)]
    moves = rules.expected_moves(days).tolist()
    cash, held = round(rules.cash * _TICKS), dict.fromkeys(rules.stocks, 0)
    orders = []
    for day in range(days):
        prices = dict(zip(rules.stocks, path[day], strict=True))
        growth = {
            stock: expected_growth(price, price + move, rules.noise)
            for (stock, price), move in zip(prices.items(), moves[day], strict=True)
        }
        order = best_order(prices, cash / _TICKS, held, growth)
        for shares, sign in ((order.sell, -1), (order.buy, 1)):
            for stock, quantity in shares.items():
                held[stock] += sign * quantity
                cash -= sign * quantity * round(prices[stock] * _TICKS)
        orders.append(str(order))
    last = zip(path[days], held.values(), strict=True)
    value = cash + sum(quantity * round(price * _TICKS) for price, quantity in last)
    return TradePlan(tuple(orders), math.log(value / round(rules.cash * _TICKS)))


def hindsight_bound(config: Mapping[str, Any] | TradeRules, days: int) -> float:
    """The most that anyone can make of a world, knowing all prices beforehand.

    The sum over days of the largest growth of a stock's logarithm, or 0 where all fall: a portfolio without debts and
    short sales grows by a mean of its parts' growth. It is reached with shares that can be divided.

    Args:
        config: As for :func:`plan`.
        days: The days of the episode.

    Returns:
        An upper bound of log(final value / initial cash) of every strategy.
    """
    path = _rules(config).price_path(days)
    return sum(math.log(max(1.0, *(b / a for a, b in zip(old, new, strict=True)))) for old, new in pairwise(path))


def informed_bound(config: Mapping[str, Any] | TradeRules, days: int) -> float:
    """A bound for who knows weights and news but not the noise: the sum over days of log(1 + best expected return).

    By Jensen's inequality no portfolio's expected growth on a day is above that day's term, given the day's prices. The
    mean over worlds of what a strategy reaches is thus at most the mean of this bound; in one world luck may lift it
    above. (It neglects the price floor, which no generated world comes near.)

    Args:
        config: As for :func:`plan`.
        days: The days of the episode.
    """
    rules = _rules(config)
    path, moves = rules.price_path(days), rules.expected_moves(days).tolist()
    moves[rules.days - 1 :] = [[0.0] * len(rules.stocks)] * max(0, days - rules.days + 1)
    return sum(
        math.log(max(1.0, *(1 + move / price for price, move in zip(old, new, strict=True))))
        for old, new in zip(path, moves, strict=False)
    )


@dataclass(frozen=True, slots=True)
class RandomLevel:
    """What the random trader makes of a world, in expectation.

    Args:
        log_growth: E log(final value / initial cash).
        final_return: E (final value / initial cash) - 1.
    """

    log_growth: float
    final_return: float


def random_level(config: Mapping[str, Any] | TradeRules, days: int) -> RandomLevel:
    """The chance level: a trader who every day draws a stock or cash, all equally likely, and holds only that.

    Its draws are independent, so the expected logarithm is a sum over days and the expected value a product. Exact up
    to the fraction of a share that whole shares leave idle.

    Args:
        config: As for :func:`plan`.
        days: The days of the episode.
    """
    path = _rules(config).price_path(days)
    total, product = 0.0, 1.0
    for old, new in pairwise(path):
        ratios = [b / a for a, b in zip(old, new, strict=True)]
        total += sum(map(math.log, ratios)) / (len(ratios) + 1)
        product *= (sum(ratios) + 1) / (len(ratios) + 1)
    return RandomLevel(total, product - 1)


def _rules(config: Mapping[str, Any] | TradeRules) -> TradeRules:
    return config if isinstance(config, TradeRules) else TradeRules.from_config(config)
