"""Questions after a trade episode: does a stock rise or fall at news that never came?"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ...environments.odyssey.trade_rules import TradeRules, signed
from .prediction import Question

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Ask", "asked", "questions", "rises"]

_NEWS = 64
# Moves smaller than this share of what is usual for the stock are not asked about: they are near ties.
_CLEAR = 0.25
_ASKED = re.compile(r"changes of the factors are (.+?)\. Leaving chance aside, does the price of (\S+) rise then\?")


class Ask(NamedTuple):
    """What a question is about.

    Args:
        stock: The stock.
        news: The announced changes, by factor.
    """

    stock: str
    news: Mapping[str, float]


def rises(rules: TradeRules, ask: Ask) -> bool:
    """Whether the news lifts the stock."""
    weights = rules.matrix[rules.stocks.index(ask.stock)]
    return sum(w * ask.news.get(factor, 0.0) for w, factor in zip(weights, rules.factors, strict=True)) > 0


def asked(question: str) -> Ask:
    """Read a question again.

    Raises:
        ValueError: It is none of these.
    """
    found = _ASKED.search(question)
    if found is None:
        raise ValueError(f"no news and stock in the question {question!r}")
    parts = (part.rsplit(" ", 1) for part in found[1].split(", "))
    return Ask(found[2], {name: float(change) for name, change in parts})


def questions(rules: TradeRules, rng: np.random.Generator) -> list[Question]:
    """Draw news and ask about every stock that they clearly move.

    Each factor's change is one that the world announces on some day, each on a day of its own: news of the usual size
    that no day has.

    Args:
        rules: The world.
        rng: Draws the days.
    """
    changes, weights = np.asarray(rules.changes), np.asarray(rules.matrix)
    known = set(rules.changes)
    usual = np.abs(changes @ weights.T).mean(axis=0)
    made = []
    for days in rng.integers(len(changes), size=(_NEWS, changes.shape[1])).tolist():
        news = tuple(rules.changes[day][factor] for factor, day in enumerate(days))
        if news in known:
            continue
        words = ", ".join(f"{name} {signed(change)}" for name, change in zip(rules.factors, news, strict=True))
        moves = weights @ np.asarray(news)
        for stock, move, size in zip(rules.stocks, moves.tolist(), usual.tolist(), strict=True):
            if abs(move) > _CLEAR * size:
                text = (
                    f"Suppose that the announced changes of the factors are {words}. "
                    f"Leaving chance aside, does the price of {stock} rise then?"
                )
                shown = dict(zip(rules.factors, news, strict=True))
                made.append(Question(text, move > 0, stock, visited=False, numbers=shown, follows=stock))
    return made
