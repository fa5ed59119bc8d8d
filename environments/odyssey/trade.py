"""The trade world as a Gymnasium environment."""

from __future__ import annotations

import json
import math
import string
from collections.abc import Mapping
from operator import mul
from typing import Any

from gymnasium.spaces import Text

from .quotes import quote
from .trade_orders import MAX_TEXT, BadOrder, Order, read_order
from .trade_rules import DECIMALS, TradeRules, signed
from .trade_worlds import TradeDifficulty, TradeWorld, generate
from .world_env import OdysseyEnv

__all__ = ["TradeEnv"]

# Without reference_rules money is counted in whole ticks of 0.0001, so that what is shown is all there is.
_TICKS = 10**DECIMALS
# Beyond it the reference's floats overflow sooner or later.
_LARGEST = 1e290
_CHARACTERS = frozenset(string.ascii_letters + string.digits + string.punctuation + " \n")


class TradeEnv(OdysseyEnv[TradeRules, TradeWorld, TradeDifficulty]):
    """Trade stocks, where tomorrow's news is known today and what it does to the prices must be found out.

    ## Description

    There are a few stocks and a few factors. Every day the news says how each factor will change tomorrow. A stock's
    price moves by a hidden weighted sum of these changes and, where a config says so, by chance. Who knows the weights
    knows tomorrow's expected prices and holds today what will rise most. Nobody moves a price by trading, there are no
    fees, and an order is filled at the prices shown: so the weights can be learned by watching alone.

    The world is re-implemented from a description of the *AI Trading* family of OdysseyArena (arXiv 2602.05843).
    With ``reference_rules`` it answers as that benchmark's own environment does, for parity checks: quantities below 0
    are an unlimited loan there, and what cannot be done is dropped in silence.

    ## Action Space

    Text: one JSON object such as ``{"sell": {"S1": 3}, "buy": {"S0": 10}}``. Both parts may be missing; ``{}`` lets
    a day pass. Sales come first, and their money can be spent by the same order. Quantities are whole numbers from 0.

    ``step`` takes any string at all. An order is carried out whole or not at all. Refused is one that is no such
    object, names an unknown stock or key, names one twice, has a quantity that is negative, fractional, no number or
    beyond 10**12, sells more than is held, or costs more than there is. Then *the step counts, the state stays*: it
    uses up one of the ``max_steps``, the market does not move on, and the feedback says what was wrong.

    ``action_space`` is ``Text`` over printable ASCII; hardly any of its samples is an order.

    With ``reference_rules`` text that is no JSON counts as ``{}``; quantities are what Python's ``int`` makes of them;
    a sale of more than is held sells all that is held; a purchase that costs more than there is is left out;
    unknown stocks and keys are ignored. Where the reference breaks down (JSON that is no object, ``"buy": null``, a
    quantity to buy that is no number), nothing happens and the feedback says so.

    ## Observation Space

    ``Text``: the day, a line for each stock with its price and the number held, cash, total value, and the news for the
    next day. After a step a line of feedback stands before it. Prices and cash are multiples of 0.0001 and shown in
    full, so that what an order costs can be computed exactly from what is seen. (Prices of a config that has more
    decimals are rounded to four.) With ``reference_rules`` all numbers have two decimals and there is no feedback.

    ``info`` has ``state``, ``{"t": day, "cash": …, "positions": […], "prices": […], "variables_state": […]}``;
    ``feedback``, the line alone; and ``usable``, whether the action was carried out.

    ## Rewards

    The growth of the logarithm of the total value (cash and stocks at their prices) in this step, so the return is
    log(final value / initial cash). With ``reference_rules`` it is the total value itself, rounded to cents.

    ## Starting State

    Day 0, the config's cash, no stocks. With a config all prices and news are always the same, chance included. With a
    difficulty each ``reset`` draws another world: ``reset(seed=s)`` gives ``generate(difficulty, s)``, and ``reset()``
    a world from the environment's own generator.

    ## Episode End

    There is no goal. Truncated after ``max_steps`` steps; terminated when day ``num_days`` is reached, whose prices are
    those of the day before (its news is shown, but never moves a price). A step after either raises ``UsageError``.

    ## Arguments

    ``gymnasium.make("finchmark/Trade-v1", **arguments)`` after ``import finchmark.environments.odyssey``, or in one:
    ``gymnasium.make("finchmark.environments.odyssey:finchmark/Trade-v1", **arguments)``.

    - ``config``: a world; ``TradeRules.from_config`` has its keys.
    - ``difficulty``: instead of a config, ``"smoke"`` (8 days), ``"gate"`` (20), ``"lite"`` (120; the default),
      ``"challenge"`` (500), or a ``TradeDifficulty``.
    - ``reference_rules``: answer as the reference does (default False).
    - ``max_steps``: the steps of an episode; by default the difficulty's horizon, with a config ``num_days - 1``, so
      that all news that is shown before the last step comes true.

    Oracles find in ``env.unwrapped`` the ``rules`` and, with a difficulty, the drawn ``world``.

    ## Chance Level and Ceiling

    The scale is log(final value / initial cash). Its bottom is the random trader, who every day holds one stock or
    cash, all equally likely: ``trade_solver.random_level`` computes its expectation. Its top is the informed oracle,
    who knows the weights, the news of the day and the size of the noise, but neither later news nor the noise itself,
    and holds what is expected to grow most: ``trade_solver.plan``. Without noise nobody does better but for the
    fraction of a share that whole shares leave idle (at most 0.14 % of the growth in 240 worlds without noise); with
    noise nobody does better in expectation by more than ``trade_solver.informed_bound`` leaves. A lucky player can
    exceed the oracle, but never ``trade_solver.hindsight_bound``. Means over the worlds of seeds 0 to 299:

    | difficulty | random | oracle (range) | informed bound | hindsight bound |
    | --- | --- | --- | --- | --- |
    | smoke | -0.0002 | 0.0554 (0.012 to 0.144) | 0.0554 | 0.0569 |
    | gate | +0.0006 | 0.1617 (0.064 to 0.292) | 0.1616 | 0.1745 |
    | lite | -0.0080 | 1.2619 (0.769 to 1.798) | 1.2720 | 1.5819 |
    | challenge | -0.0191 | 4.6173 (3.069 to 6.430) | 4.6254 | 6.1710 |

    ## Version History

    - v1: first version.
    """

    family = "trade"
    action_words = "A trade action is text such as '{}'"

    def __init__(
        self,
        config: Mapping[str, Any] | None = None,
        *,
        difficulty: str | TradeDifficulty | None = None,
        reference_rules: bool = False,
        max_steps: int | None = None,
    ) -> None:
        super().__init__(config, difficulty=difficulty, reference_rules=reference_rules, max_steps=max_steps)
        if self.difficulty is not None:
            stocks, factors, news = self.difficulty.max_stocks, self.difficulty.max_factors, 0
        else:
            assert self.rules is not None
            stocks, factors = len(self.rules.stocks), len(self.rules.factors)
            news = max(len(text or "") for text in self.rules.news)
        self.action_space = Text(MAX_TEXT, charset=_CHARACTERS)
        # Long enough for the largest numbers of each kind of rules; a fuzz test holds it to that.
        number = 320 if reference_rules else 40
        self.observation_space = Text(
            600 + 2 * number + (4 * number + 100) * stocks + 100 * factors + news, charset=_CHARACTERS
        )
        self._money: _Exact | _Reference | None = None

    def read_config(self, config: Mapping[str, Any]) -> TradeRules:
        """The rules of a config; see :meth:`.TradeRules.from_config`."""
        return TradeRules.from_config(config)

    def named_difficulty(self, difficulty: str | TradeDifficulty) -> TradeDifficulty:
        """The preset of a name; see :meth:`.TradeDifficulty.named`."""
        return TradeDifficulty.named(difficulty)

    def draw(self, difficulty: TradeDifficulty, *path: str | int) -> TradeWorld:
        """Draw a world; see :func:`.trade_worlds.generate`."""
        return generate(difficulty, *path)

    def default_steps(self) -> int:
        """The days of an episode."""
        if self.difficulty is not None:
            return self.difficulty.horizon
        assert self.rules is not None
        return max(1, self.rules.days - 1)

    def begin(self) -> tuple[str, dict[str, Any]]:
        """Go to day 0."""
        assert self.rules is not None
        # An account computes its market's path once; a new world has new rules.
        if self._money is None or self._money.rules is not self.rules:
            days = min(self.rules.days, self.max_steps)
            self._money = (_Reference if self.reference_rules else _Exact)(self.rules, days)
        self._money.restart()
        return self._money.text(), {"state": self._money.state(), "feedback": "", "usable": True}

    def act(self, action: str) -> tuple[str, float, bool, dict[str, Any]]:
        """Give an order and let a day pass."""
        money = self._money
        assert money is not None
        usable, reward, feedback = money.trade(action)
        text = money.text()
        if feedback:
            text = f"{feedback}{text}" if self.reference_rules else f"{feedback}\n{text}"
        return (
            text,
            reward,
            money.day >= money.rules.days,
            {"state": money.state(), "feedback": feedback, "usable": usable},
        )


class _Exact:
    """An account in a market by our own rules: whole ticks, whole shares, orders whole or not at all."""

    def __init__(self, rules: TradeRules, days: int) -> None:
        self.rules = rules
        self.path = [[round(price * _TICKS) for price in prices] for prices in rules.price_path(days)]
        self.prices = [[price / _TICKS for price in prices] for prices in self.path]
        self.factors = [[round(value, DECIMALS) for value in values] for values in rules.factor_path(days)]
        self.number = {stock: index for index, stock in enumerate(rules.stocks)}
        self.restart()

    def restart(self) -> None:
        self.day = 0
        self.cash = self.value = round(self.rules.cash * _TICKS)
        self.held = [0] * len(self.rules.stocks)

    def trade(self, action: str) -> tuple[bool, float, str]:
        """Carry out an order, or say why not."""
        try:
            order = read_order(action, self.rules.stocks)
            cash, held = self._after(order)
        except BadOrder as problem:
            one, other = self.rules.stocks[0], self.rules.stocks[-1]
            return (
                False,
                0.0,
                f"The order was refused. {problem} Write one JSON object with whole numbers of shares, such as "
                f'{{"sell": {{"{one}": 3}}, "buy": {{"{other}": 2}}}}, or {{}} to wait. '
                "Nothing was traded and the market waits, but the step counts.",
            )
        before = self.value
        self.cash, self.held = cash, held
        self.day += 1
        self.value = cash + sum(map(mul, self.path[self.day], held))
        done = [
            f"{verb} {', '.join([f'{quantity} {stock}' for stock, quantity in shares.items()])}"
            for verb, shares in (("sold", order.sell), ("bought", order.buy))
            if shares
        ]
        feedback = f"You {' and '.join(done)}." if done else "You waited."
        # The quotient of whole numbers is correct however large they are.
        return True, math.log(self.value / before), feedback

    def _after(self, order: Order) -> tuple[int, list[int]]:
        prices, cash, held = self.path[self.day], self.cash, self.held.copy()
        for stock, quantity in order.sell.items():
            index = self.number[stock]
            if quantity > held[index]:
                raise BadOrder(f"It sells {quantity} {stock}, but you hold {held[index]}.")
            held[index] -= quantity
            cash += quantity * prices[index]
        cost = 0
        for stock, quantity in order.buy.items():
            index = self.number[stock]
            held[index] += quantity
            cost += quantity * prices[index]
        if cost > cash:
            sold = " after the sales" if order.sell else ""
            raise BadOrder(f"It buys for {_money(cost)}, but your cash{sold} is {_money(cash)}.")
        return cash - cost, held

    def text(self) -> str:
        day, rules = self.day, self.rules
        lines = [f"Day {day}"]
        lines += [
            f"{stock}: {price:.4f}, {quantity} held"
            for stock, price, quantity in zip(rules.stocks, self.prices[day], self.held, strict=True)
        ]
        lines.append(f"Cash: {_money(self.cash)}")
        lines.append(f"Total value: {self.value / _TICKS:.2f}")
        if day < rules.days:
            changes = [
                f"{name} {signed(change)}" for name, change in zip(rules.factors, rules.changes[day], strict=True)
            ]
            lines.append(f"News for day {day + 1}: {', '.join(changes)}")
        else:
            lines.append("The market is closed.")
        return "\n".join(lines)

    def state(self) -> dict[str, Any]:
        return {
            "t": self.day,
            "cash": self.cash / _TICKS,
            "positions": list(map(float, self.held)),
            "prices": self.prices[self.day].copy(),
            "variables_state": self.factors[self.day].copy(),
        }


def _money(ticks: int) -> str:
    return f"{ticks / _TICKS:.4f}"


class _Reference:
    """An account in the reference's market, loopholes included; texts word for word, since parity compares them."""

    def __init__(self, rules: TradeRules, days: int) -> None:
        self.rules = rules
        self.path = rules.price_path(days)
        self.factors = rules.factor_path(days)
        self.number = {stock: index for index, stock in enumerate(rules.stocks)}
        self.restart()

    def restart(self) -> None:
        self.day = 0
        self.cash = self.rules.cash
        self.held = [0.0] * len(self.rules.stocks)

    def value(self) -> float:
        return self.cash + sum([p * q for p, q in zip(self.path[self.day], self.held, strict=True)])

    def trade(self, action: str) -> tuple[bool, float, str]:
        """Do what the reference does; where it breaks down, nothing, and say so."""
        try:
            value: Any = json.loads(action)
            usable = True
        except (ValueError, RecursionError):
            value, usable = {}, False
        try:
            if not isinstance(value, dict):
                raise TypeError("the order is no object")
            cash, held = self._after(value)
            if max(abs(cash), *map(abs, held)) > _LARGEST:
                raise OverflowError("the numbers leave their range")
        except (TypeError, ValueError, OverflowError, AttributeError) as problem:
            feedback = (
                f"The reference breaks down at this order ({quote(str(problem), 60)}). Nothing was traded and the "
                'market waits, but the step counts. An order is a JSON object such as {"sell": {}, "buy": {}}.'
            )
            return False, round(self.value(), 2), feedback
        self.cash, self.held = cash, held
        self.day += 1
        return usable, round(self.value(), 2), ""

    def _after(self, order: dict[str, Any]) -> tuple[float, list[float]]:
        prices, cash, held = self.path[self.day], self.cash, self.held.copy()
        for stock, wanted in order.get("sell", {}).items():
            index = self.number.get(stock)
            if index is None:
                continue
            try:
                quantity = int(wanted)
            except (TypeError, ValueError, OverflowError):
                quantity = 0
            sold = min(quantity, held[index])
            held[index] -= sold
            cash += prices[index] * sold
        for stock, wanted in order.get("buy", {}).items():
            index = self.number.get(stock)
            if index is None:
                continue
            quantity = int(wanted)
            cost = prices[index] * quantity
            if cost <= cash:
                held[index] += quantity
                cash -= cost
        return cash, held

    def text(self) -> str:
        day, rules = self.day, self.rules
        lines = ["", f"=== Day {day} ==="]
        lines += [
            f"{stock}: {price:.2f} (holding {int(quantity)})"
            for stock, price, quantity in zip(rules.stocks, self.path[day], self.held, strict=True)
        ]
        lines += [f"Cash: {self.cash:.2f}", f"Total Value: {self.value():.2f}"]
        if day < rules.days:
            text = rules.news[day]
            lines.append(f"Next day news: {_reference_news(rules, day) if text is None else text}")
        else:
            lines.append("No more news.")
        return "\n".join(lines)

    def state(self) -> dict[str, Any]:
        return {
            "t": self.day,
            "cash": self.cash,
            "positions": self.held.copy(),
            "prices": list(self.path[self.day]),
            "variables_state": list(self.factors[self.day]),
        }


def _reference_news(rules: TradeRules, day: int) -> str:
    """The reference's words for the changes of the next day, for configs that bring no text."""
    words = []
    for name, change in zip(rules.factors, rules.changes[day], strict=True):
        if change > 0.05:
            words.append(f"{name} increased significantly (+{change:.2f})")
        elif change > 0.01:
            words.append(f"{name} rose slightly (+{change:.2f})")
        elif change < -0.05:
            words.append(f"{name} decreased significantly ({change:.2f})")
        elif change < -0.01:
            words.append(f"{name} dropped slightly ({change:.2f})")
        else:
            words.append(f"{name} stable ({change:.2f})")
    return " | ".join(words)
