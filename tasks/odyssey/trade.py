"""Odyssey's Trade as a task."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Hashable, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar

from ...environments.odyssey.trade import TradeEnv
from ...environments.odyssey.trade_orders import Order
from ...environments.odyssey.trade_rules import TradeRules, describe_rules
from ...environments.odyssey.trade_solver import best_order, plan, random_level
from ...environments.odyssey.trade_worlds import generate
from ...suite.agents.percept import Option, Percept
from ...suite.backends.scripted import Policy
from ...suite.errors import UnknownName
from ...suite.records import Level, Metric
from ...suite.seeds import derive
from ...suite.task import Arm, Estimate, Item, Tier
from .family import OdysseyTask
from .prediction import PREDICTION_METRICS, Question, Step, balanced
from .trade_policies import Holder, Learner, Oracle, Uniform, read_market
from .trade_questions import questions

if TYPE_CHECKING:
    import numpy as np

__all__ = ["Trade"]

_DAY = re.compile(r"Day \d+")
_COUNTS = re.compile(r"(?<=^News) for day \d+")


class Trade(OdysseyTask):
    """Grow money by trading stocks. The news tells how some factors will change tomorrow, not how they move the prices.

    The score is the growth of the logarithm of the value, on a scale where 0 is the random trader's expectation on this
    very item and 1 is what the informed oracle makes of it. It is not clipped: who loses more than the random trader is
    below 0, who has more luck than the oracle above 1. There is no success; an episode ends at its last turn.

    The random trader every day holds one stock or cash, all equally likely. The oracle knows the weights and the size
    of the noise, and every day holds the stock with the largest expected growth; it borrows nothing.
    """

    name: ClassVar[str] = "odyssey/trade"
    version: ClassVar[int] = 1
    summary: ClassVar[str] = "Trade stocks; how tomorrow's announced changes move their prices is to be found out."
    references: ClassVar[tuple[str, ...]] = ("random", "heuristic", "learner", "oracle")
    tiers: ClassVar[Mapping[str, Tier]] = MappingProxyType(
        {
            "smoke": Tier("smoke", items=1, max_turns=8, max_tokens=64, summary="3 stocks, 2 factors, 8 days"),
            "gate": Tier("gate", items=300, max_turns=20, max_tokens=128, summary="4 stocks, 3 factors, 20 days"),
            "lite": Tier("lite", items=30, max_turns=120, max_tokens=2048, summary="5 to 9 stocks, 120 days"),
            "challenge": Tier(
                "challenge", items=10, max_turns=500, max_tokens=4096, summary="8 to 10 stocks, 500 days"
            ),
        }
    )
    metrics: ClassVar[tuple[Metric, ...]] = (
        Metric(
            name="growth",
            summary="growth of log value, from 0 (random trader on the same item) to 1 (informed oracle), not clipped",
            low=None,
            high=None,
            chance=0.0,
            ceiling=1.0,
            failure=0.0,
            primary=True,
        ),
        Metric(name="log_growth", summary="log(final value / initial cash), not normalised", low=None, high=None),
        Metric(name="final_return", summary="final value / initial cash - 1", low=-1.0, high=None),
        *(metric for metric in OdysseyTask.shared_metrics if metric.name == "unusable_rate"),
        *PREDICTION_METRICS,
    )

    reference_files: ClassVar[str] = "trade/test_trade_config_*.json"

    def items(self, tier: Tier, seed: int) -> Sequence[Item]:
        """Generate the tier's worlds, each with what the random trader and the oracle make of it."""
        made = []
        for index in range(tier.items):
            world = generate(tier.name, self.name, self.version, tier.name, seed, index)
            chance = random_level(world.config, world.horizon)
            levels = {
                "growth": Level(chance=0.0, ceiling=1.0, exact=True),
                "log_growth": Level(chance=chance.log_growth, ceiling=world.oracle, exact=True),
                "final_return": Level(chance=chance.final_return, ceiling=math.expm1(world.oracle), exact=True),
            }
            name = f"{tier.name}-{index:03d}"
            # The two ends of the scale decide the score, so they are part of what defines the item.
            data = {
                "config": dict(world.config),
                "max_turns": tier.max_turns,
                "scale": {"random": world.random, "oracle": world.oracle},
            }
            proof = {"plan": list(world.plan), "hindsight": world.hindsight}
            made.append(Item(name, data, proof=proof, levels=levels))
        return made

    def foreign_item(self, name: str, config: dict[str, Any], tier: Tier) -> Item:
        """Make an item of a configuration, with its own ends of the scale: random trader and informed oracle."""
        rules = TradeRules.from_config(config)
        days = min(tier.max_turns, int(config["num_days"]) - 1)
        best, chance = plan(rules, days), random_level(rules, days)
        scale = {"random": chance.log_growth, "oracle": best.log_growth}
        levels = {
            "growth": Level(chance=0.0, ceiling=1.0, exact=True),
            "log_growth": Level(chance=chance.log_growth, ceiling=best.log_growth, exact=True),
        }
        data = {"config": config, "max_turns": days, "scale": scale}
        return Item(name, data, proof={"plan": list(best.orders)}, levels=levels)

    def make_env(self, item: Item, tier: Tier) -> TradeEnv:
        """Make the item's world."""
        return TradeEnv(config=item.data["config"], max_steps=tier.max_turns)

    def instructions(self, item: Item, arm: Arm, tier: Tier) -> str:
        """The goal, the market and the way to act; in ``with-rules`` also how the prices move."""
        config = item.data["config"]
        stocks, factors = config["stocks"], config["variables"]
        rules = (
            f"\n\nThese are the rules of the prices:\n{describe_rules(config)}"
            if arm.options["rules"]
            else "\n\nHow much each factor moves which stock is not told. Find it out by watching. Chance may move the "
            "prices a little besides."
        )
        return (
            f"You trade {len(stocks)} stocks, {stocks[0]} to {stocks[-1]}. Your goal is to end with as large a total "
            "value as you can: your cash plus your stocks at their prices of the last day.\n"
            f"There are {len(factors)} factors, {factors[0]} to {factors[-1]}. Each day the news says by how much each "
            "of them will change tomorrow, and it always comes true. When a factor changes, the prices of the stocks "
            "move with it, each in its own way, the same way on every day. Your trading moves no price."
            f"{rules}\n\n"
            "Each turn you give one order, and a day passes. It is filled at the prices that you see, without fees. "
            "Sales come first, so their money can be spent in the same order. Quantities are whole numbers of shares. "
            "You cannot sell what you do not hold nor spend more than your cash: such an order is refused as a whole, "
            "the turn is lost, and the day stays.\n"
            "Answer each turn with nothing but an order in JSON, in tags, of this shape: "
            '<action>{"sell": {"STOCK": NUMBER}, "buy": {"STOCK": NUMBER}}</action>. Either part may name several '
            "stocks or be left out; <action>{}</action> waits for a day."
        )

    def practice(self, item: Item) -> tuple[tuple[str, str], ...]:
        """Two orders in words and tags. Which, differs from item to item, so that to copy them is no policy of ours."""
        stocks = item.data["config"]["stocks"]

        def pick(what: str, options: int) -> int:
            return derive("practice", item.hash, what) % options

        first = pick("first", len(stocks))
        second = (first + 1 + pick("second", len(stocks) - 1)) % len(stocks)
        few, some, many = (2 + pick(what, 9) for what in ("few", "some", "many"))
        one, other = stocks[first], stocks[second]
        return (
            (
                f"First show that you know how to answer: how do you buy {few} shares of {one}?",
                f"<action>{Order(buy={one: few})}</action>",
            ),
            (
                f"And how do you sell {some} shares of {other} and buy {many} of {one}?",
                f"<action>{Order(sell={other: some}, buy={one: many})}</action>",
            ),
        )

    def reader(self, instructions: str) -> Callable[[str], Percept]:
        """Prices, holdings, cash, announced changes; for each stock, and for cash, the order that holds it alone.

        A stock's price has the stock's name, a change the factor's. The growth of a price is what holding earns.
        """

        def read(text: str) -> Percept:
            market = read_market(text)
            stocks = market.prices
            options = []
            for held in (*stocks, ""):
                order = best_order(stocks, market.cash, market.held, {stock: float(stock == held) for stock in stocks})
                options.append(Option(f"<action>{order}</action>", f"hold {held or 'cash'}", follows=held))
            numbers = {
                **stocks,
                **{f"{stock} held": float(count) for stock, count in market.held.items()},
                "Cash": market.cash,
                **market.news,
            }
            return Percept(_without_day(text), tuple(options), numbers)

        return read

    def state_key(self, info: Mapping[str, Any]) -> Hashable:
        """The day: it never comes back, so Trade has no loops and no loop ratio."""
        return info["state"]["t"]

    def questions(self, item: Item, rng: np.random.Generator, steps: Sequence[Step], count: int) -> list[Question]:
        """Whether a stock rises at news that never came."""
        return balanced(questions(TradeRules.from_config(item.data["config"]), rng), count, rng)

    def shown(self, item: Item, steps: Sequence[Step]) -> list[tuple[str, bool]]:
        """For every stock and day, whether its price rose."""
        stocks = item.data["config"]["stocks"]
        return [
            (stock, after > before)
            for step in steps
            for stock, before, after in zip(stocks, step.before["prices"], step.after["prices"], strict=True)
        ]

    def score(self, *, solved: bool, turns: int, info: Mapping[str, Any], item: Item) -> dict[str, float | None]:
        """The growth, on the item's scale and raw."""
        state, scale = info["state"], item.data["scale"]
        value = state["cash"] + math.fsum(p * q for p, q in zip(state["prices"], state["positions"], strict=True))
        ratio = value / item.data["config"]["initial_cash"]
        grown = math.log(ratio)
        return {
            "growth": (grown - scale["random"]) / (scale["oracle"] - scale["random"]),
            "log_growth": grown,
            "final_return": ratio - 1,
        }

    def estimate(self, item: Item, arm: Arm, tier: Tier) -> Estimate:
        """As for every task, with observations that grow with the numbers of stocks and factors."""
        config = item.data["config"]
        stocks, factors = len(config["stocks"]), len(config["variables"])
        opening = 600 + 15 * stocks * factors
        turn = tier.max_tokens + 150 + 25 * stocks + 10 * factors
        return self.bound(tier, opening=opening, turn=turn)

    def reference(self, name: str, item: Item, arm: Arm) -> Policy:
        """``random`` and ``oracle`` set the scale, ``heuristic`` buys and holds, ``learner`` fits the weights."""
        if name == "random":
            return Uniform()
        if name == "heuristic":
            return Holder()
        if name == "learner":
            return Learner()
        if name == "oracle":
            return Oracle(item.data["config"])
        raise UnknownName("reference", name, self.references)


def _without_day(text: str) -> str:
    """What is left of an observation without the lines that only count the days."""
    return "\n".join(_COUNTS.sub("", line) for line in text.splitlines() if not _DAY.fullmatch(line))
