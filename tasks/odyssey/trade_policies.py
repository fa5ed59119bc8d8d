"""Policies that play Trade in the place of a model: uniform, holding, learning by least squares, and informed."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...environments.odyssey.trade_orders import Order
from ...environments.odyssey.trade_rules import TradeRules
from ...environments.odyssey.trade_solver import best_order, expected_growth
from ...suite.backends.base import GenerateRequest
from ...suite.backends.scripted import choose
from .prediction import read_question, say_answer
from .trade_questions import Ask, asked, rises

__all__ = ["Holder", "Learner", "Market", "Oracle", "Uniform", "read_market"]

_DAY = re.compile(r"^Day (\d+)$", re.MULTILINE)
_STOCK = re.compile(r"^(\S+): (\d+\.\d+), (\d+) held$", re.MULTILINE)
_CASH = re.compile(r"^Cash: (\d+\.\d+)$", re.MULTILINE)
_NEWS = re.compile(r"^News for day \d+: (.+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Market:
    """What the text of a day says.

    Args:
        day: The day.
        prices: By stock.
        held: Shares held, by stock.
        cash: Money.
        news: Tomorrow's changes, by factor; empty where there is no news.
    """

    day: int
    prices: dict[str, float]
    held: dict[str, int]
    cash: float
    news: dict[str, float]


def read_market(text: str) -> Market:
    """Read the last day in a text, as an agent would.

    Raises:
        ValueError: There is none.
    """
    days = list(_DAY.finditer(text))
    if not days:
        raise ValueError("no day in the text")
    text = text[days[-1].start() :]
    stocks, cash, news = _STOCK.findall(text), _CASH.search(text), _NEWS.search(text)
    if cash is None:
        raise ValueError("no cash in the text")
    changes = [part.rsplit(" ", 1) for part in news[1].split(", ")] if news else []
    return Market(
        day=int(days[-1][1]),
        prices={stock: float(price) for stock, price, _ in stocks},
        held={stock: int(count) for stock, _, count in stocks},
        cash=float(cash[1]),
        news={name: float(change) for name, change in changes},
    )


def _reply(order: Order) -> str:
    return f"<action>{order}</action>"


def _seen(request: GenerateRequest) -> Market:
    return read_market(request.messages[-1].content)


class Uniform:
    """Every day puts everything into one stock, or into cash, all equally likely: the chance level."""

    def reply(self, request: GenerateRequest) -> str:
        """Hold any one thing; answer anything."""
        if read_question(request.messages[-1].content) is not None:
            return say_answer(choose(2, request) == 1)
        market = _seen(request)
        chosen = choose(len(market.prices) + 1, request)
        growth = {stock: float(index == chosen) for index, stock in enumerate(market.prices)}
        return _reply(best_order(market.prices, market.cash, market.held, growth))


class Holder:
    """Buys all stocks for equal sums on the first day and holds them to the end. Learns nothing."""

    def __init__(self) -> None:
        self._before: dict[str, float] = {}
        self._prices: dict[str, float] = {}

    def reply(self, request: GenerateRequest) -> str:
        """Buy once, then wait; asked whether a stock rises, say what it did last."""
        question = read_question(request.messages[-1].content)
        if question is not None:
            stock = asked(question).stock
            return say_answer(self._prices.get(stock, 0.0) > self._before.get(stock, 0.0))
        market = _seen(request)
        self._before, self._prices = self._prices, market.prices
        if any(market.held.values()):
            return _reply(Order())
        share = market.cash / len(market.prices)
        return _reply(Order(buy={stock: int(share // price) for stock, price in market.prices.items()}))


class Learner:
    """Fits the weights to all days so far by least squares, a little shrunk to 0, and trades as if they were right."""

    def __init__(self) -> None:
        self._last: Market | None = None
        self._gram = np.zeros((0, 0))
        self._moment = np.zeros((0, 0))

    def reply(self, request: GenerateRequest) -> str:
        """Learn from the last day's move, then hold what today's news should lift most; answer by the same weights."""
        question = read_question(request.messages[-1].content)
        if question is not None:
            return say_answer(self._expects(asked(question)))
        market = _seen(request)
        last, self._last = self._last, market
        changes = np.array(list(market.news.values()))
        if last is None:
            # As much as one day with a change of 0.1 in each factor: enough to have an answer from the first day on.
            self._gram = 0.01 * np.eye(len(changes))
            self._moment = np.zeros((len(changes), len(market.prices)))
        elif market.day == last.day + 1:
            before = np.array(list(last.news.values()))
            moves = np.array(list(market.prices.values())) - np.array(list(last.prices.values()))
            self._gram += np.outer(before, before)
            self._moment += np.outer(before, moves)
        if not len(changes):
            return _reply(Order())
        moves = changes @ np.linalg.solve(self._gram, self._moment)
        # What is not known yet is no reason to buy: before the first move all expectations are 0.
        growth = {
            stock: expected_growth(price, price + float(move), 0.0)
            for (stock, price), move in zip(market.prices.items(), moves, strict=True)
        }
        return _reply(best_order(market.prices, market.cash, market.held, growth))

    def _expects(self, ask: Ask) -> bool:
        if self._last is None or not self._gram.size:
            return False
        weights = np.linalg.solve(self._gram, self._moment)
        return float(np.array(list(ask.news.values())) @ weights[:, list(self._last.prices).index(ask.stock)]) > 0


class Oracle:
    """Knows the weights and the size of the noise, and holds what today's news will lift most: the ceiling."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        self._rules = TradeRules.from_config(config)

    def reply(self, request: GenerateRequest) -> str:
        """Hold the stock with the largest expected growth; answer by the weights."""
        question = read_question(request.messages[-1].content)
        if question is not None:
            return say_answer(rises(self._rules, asked(question)))
        market = _seen(request)
        changes = [market.news.get(factor, 0.0) for factor in self._rules.factors]
        growth = {
            stock: expected_growth(
                price, price + sum(w * c for w, c in zip(row, changes, strict=True)), self._rules.noise
            )
            for (stock, price), row in zip(market.prices.items(), self._rules.matrix, strict=True)
        }
        return _reply(best_order(market.prices, market.cash, market.held, growth))
