"""The rules of one trade world: how announced changes move the prices, and what is announced on which day."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...suite.errors import UsageError
from ...suite.seeds import generator
from .quotes import quote

__all__ = ["DECIMALS", "FLOOR", "MAX_DAYS", "TradeRules", "describe_rules", "signed"]

FLOOR = 0.1
DECIMALS = 4
MAX_DAYS = 10_000
_MAX_NAMES = 64
# Numbers of a config are bounded, so that no price, no sum and no text can grow beyond what fits.
_LARGEST = 1e9
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,16}")


def _need(holds: bool, message: str) -> None:
    if not holds:
        raise UsageError(f"Trade config: {message}")


@dataclass(frozen=True, slots=True)
class TradeRules:
    """A validated config.

    Args:
        stocks: The stocks' names.
        factors: The factors' names (a config calls them variables).
        matrix: For every stock, by how much its price moves when a factor grows by 1; shape (stocks, factors).
        prices: The prices of day 0.
        start: The factors' values on day 0.
        cash: The money of day 0.
        noise: Standard deviation of what chance adds to every price on every day.
        noise_seed: Decides the chance; the same config has the same chance in every episode.
        changes: The factors' changes on day 1, 2, …; shape (days, factors).
        news: For every day the text that a config has for its changes, None where it has none.
    """

    stocks: tuple[str, ...]
    factors: tuple[str, ...]
    matrix: tuple[tuple[float, ...], ...]
    prices: tuple[float, ...]
    start: tuple[float, ...]
    cash: float
    noise: float
    noise_seed: int | None
    changes: tuple[tuple[float, ...], ...]
    news: tuple[str | None, ...]

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> TradeRules:
        """Read a config.

        Args:
            config: ``num_days``; ``stocks`` and ``variables``, lists of names; ``dependency_matrix``, one list of
                numbers a stock, one number a variable; ``initial_prices``, at least 0.1 each; ``initial_cash``, above
                0; ``timeline``, ``{"day_1": {"variable_changes": […]}, …}`` up to ``num_days``. Optional:
                ``initial_variables`` (zeros), ``price_noise_scale`` (0) and, where it is above 0, ``noise_seed``, a
                whole number; a day's ``news_text``. Further keys do not matter.

        Returns:
            The rules.

        Raises:
            UsageError: The config is malformed; the message names the key, the value and what would be right.
        """
        _need(isinstance(config, Mapping), f"a mapping is needed, not {type(config).__name__}.")
        needed = (
            "num_days", "stocks", "variables", "dependency_matrix", "initial_prices", "initial_cash", "timeline",
        )  # fmt: skip
        for key in needed:
            _need(key in config, f"{key!r} is missing; it has the keys {', '.join(map(repr, needed))}.")
        stocks, factors = (_names(config[key], key) for key in ("stocks", "variables"))
        days = config["num_days"]
        _need(
            isinstance(days, int) and not isinstance(days, bool) and 1 <= days <= MAX_DAYS,
            f"'num_days' is a whole number from 1 to {MAX_DAYS}, not {quote(repr(days))}.",
        )
        rows = config["dependency_matrix"]
        _need(
            _is_list(rows) and len(rows) == len(stocks),
            f"'dependency_matrix' has one row a stock, {len(stocks)} in all.",
        )
        matrix = tuple(
            _numbers(row, len(factors), f"'dependency_matrix', row of {stock}")
            for stock, row in zip(stocks, rows, strict=True)
        )
        prices = _numbers(config["initial_prices"], len(stocks), "'initial_prices'", low=FLOOR)
        start = _numbers(config.get("initial_variables", [0.0] * len(factors)), len(factors), "'initial_variables'")
        cash = _numbers([config["initial_cash"]], 1, "'initial_cash'", low=0.01)[0]
        noise = _numbers([config.get("price_noise_scale", 0.0)], 1, "'price_noise_scale'", low=0.0)[0]
        seed = config.get("noise_seed")
        _need(
            (seed is None and noise == 0) or (isinstance(seed, int) and not isinstance(seed, bool)),
            "'noise_seed' is a whole number, and a world whose 'price_noise_scale' is above 0 needs one: without it "
            f"no episode could be repeated. It is {quote(repr(seed))}.",
        )
        timeline = config["timeline"]
        _need(isinstance(timeline, Mapping), f"'timeline' maps days to changes; it is {type(timeline).__name__}.")
        changes, news = [], []
        for day in range(1, days + 1):
            entry = timeline.get(f"day_{day}")
            if not isinstance(entry, Mapping) or "variable_changes" not in entry:
                raise UsageError(
                    f"Trade config: 'timeline' has no 'variable_changes' for day_{day}; 'num_days' asks for day_1 to "
                    f"day_{days}."
                )
            changes.append(_numbers(entry["variable_changes"], len(factors), f"'timeline', day_{day}"))
            text = entry.get("news_text")
            if text is not None and not (
                isinstance(text, str) and text.isprintable() and text.isascii() and len(text) < 10_000
            ):
                raise UsageError(
                    f"Trade config: 'news_text' of day_{day} is one line of ASCII text, or absent, not "
                    f"{quote(repr(text))}."
                )
            news.append(text)
        return cls(stocks, factors, matrix, prices, start, cash, noise, seed, tuple(changes), tuple(news))

    @property
    def days(self) -> int:
        """How many days have news. The market closes on this day; its news never moves a price."""
        return len(self.changes)

    def price_path(self, days: int) -> list[tuple[float, ...]]:
        """The prices of day 0, 1, … ``days``. No player moves them, so they are the same in every episode.

        Args:
            days: The last day wanted, from 0 to :attr:`days`.

        Returns:
            ``days + 1`` tuples of one price a stock, as the rules give them, not rounded.
        """
        moving = min(days, self.days - 1)
        moves = self.expected_moves(moving)
        if self.noise > 0 and moving:
            assert self.noise_seed is not None
            rng = generator("odyssey/trade/noise", self.noise_seed)
            chance = rng.normal(0.0, self.noise, size=(moving, len(self.stocks)))
            moves = moves + np.round(chance, DECIMALS)
        path = [self.prices]
        for move in moves.tolist():
            path.append(tuple([p if (p := old + m) > FLOOR else FLOOR for old, m in zip(path[-1], move, strict=True)]))
        return path + [path[-1]] * (days - moving)

    def expected_moves(self, days: int) -> np.ndarray:
        """What the news of day 1 to ``days`` does to the prices without chance and floor; shape (days, stocks)."""
        return np.asarray(self.changes[:days]).reshape(days, len(self.factors)) @ np.asarray(self.matrix).T

    def factor_path(self, days: int) -> list[tuple[float, ...]]:
        """The factors' values on day 0, 1, … ``days``; like the prices they stay put on the closing day."""
        path = [self.start]
        for change in self.changes[: min(days, self.days - 1)]:
            path.append(tuple([v + c for v, c in zip(path[-1], change, strict=True)]))
        return path + [path[-1]] * (days + 1 - len(path))


def _is_list(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, (str, bytes))


def _names(value: Any, key: str) -> tuple[str, ...]:
    _need(
        _is_list(value) and 1 <= len(value) <= _MAX_NAMES and len(set(map(str, value))) == len(value),
        f"{key!r} is a list of 1 to {_MAX_NAMES} different names.",
    )
    for name in value:
        _need(
            isinstance(name, str) and _NAME.fullmatch(name) is not None,
            f"{key!r}: a name has 1 to 16 of A-Z a-z 0-9 _ . -, unlike {quote(repr(name))}.",
        )
    return tuple(value)


def _numbers(value: Any, count: int, what: str, *, low: float = -_LARGEST) -> tuple[float, ...]:
    # Messages are made where they are needed only: a config has thousands of numbers.
    if not _is_list(value) or len(value) != count:
        raise UsageError(f"Trade config: {what} is a list of {count} numbers, not {quote(repr(value))}.")
    for number in value:
        # Not a number fails the comparison.
        if not isinstance(number, (int, float)) or isinstance(number, bool) or not low <= number <= _LARGEST:
            raise UsageError(f"Trade config: {what}: {quote(repr(number))} is no number from {low:g} to {_LARGEST:g}.")
    return tuple(map(float, value))


def signed(number: float) -> str:
    """Write a change with its sign: two decimals where they say it all, else four."""
    text = f"{round(number, DECIMALS) + 0.0:+.{DECIMALS}f}"  # + 0.0: a rounded -0.00001 is no "-0.0000"
    return text[:-2] if text.endswith("00") else text


def describe_rules(config: Mapping[str, Any]) -> str:
    """Say in plain English how the prices move, with all numbers.

    Args:
        config: As for :meth:`TradeRules.from_config`.

    Returns:
        A line on how to read the rest, one line a stock, and one on chance. Nothing about news that are still to come.

    Raises:
        UsageError: The config is malformed.
    """
    rules = TradeRules.from_config(config)
    lines = ["From one day to the next a price changes by the sum of its weights times the announced changes:"]
    for stock, row in zip(rules.stocks, rules.matrix, strict=True):
        terms = ", ".join(f"{signed(weight)} x {factor}" for factor, weight in zip(rules.factors, row, strict=True))
        lines.append(f"{stock}: {terms}")
    lines.append(
        "Besides, chance changes each price each day, independently: normally distributed with mean 0 and standard "
        f"deviation {rules.noise:g}."
        if rules.noise > 0
        else "There is no chance: the prices follow exactly."
    )
    lines.append(f"No price falls below {FLOOR:g}.")
    return "\n".join(lines)
