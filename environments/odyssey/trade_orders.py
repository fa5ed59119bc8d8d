"""Orders: the text that a trader writes, read strictly, and written back."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .quotes import quote

__all__ = ["MAX_QUANTITY", "MAX_TEXT", "BadOrder", "Order", "read_order"]

MAX_TEXT = 4096
# With it no holding, no sum of money and no text can grow beyond what fits, whatever a config's prices do.
MAX_QUANTITY = 10**12
_SPACES = " \t\r\n"


class BadOrder(ValueError):
    """An order that cannot be carried out; the message says why."""


@dataclass(frozen=True, slots=True)
class Order:
    """What to sell and then buy on one day, by stock."""

    sell: Mapping[str, int] = field(default_factory=dict)
    buy: Mapping[str, int] = field(default_factory=dict)

    def __str__(self) -> str:
        """The text that :func:`read_order` reads."""
        sides = {side: dict(shares) for side, shares in (("sell", self.sell), ("buy", self.buy)) if shares}
        return json.dumps(sides)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise BadOrder(f"{quote(twice)} stands in it twice.")
    return found


def _no_constant(text: str) -> Any:
    raise BadOrder(f"{text} is no quantity.")


# Made once: `json.loads` with hooks makes one at every call.
_DECODER = json.JSONDecoder(object_pairs_hook=_unique, parse_constant=_no_constant)


def _shown(value: Any) -> str:
    """A JSON value in words; lists and objects by their kind, however deep they are."""
    if isinstance(value, (list, dict)):
        return "a list" if isinstance(value, list) else "an object"
    return quote(json.dumps(value))


def read_order(text: str, stocks: Sequence[str]) -> Order:
    """Read an order.

    Args:
        text: Any text; an order is one JSON object with ``"sell"`` and ``"buy"``, both optional, each an object from
            stocks to whole numbers of shares from 0 to ``MAX_QUANTITY``.
        stocks: The names that there are.

    Returns:
        The order, without quantities of 0.

    Raises:
        BadOrder: It is none; the message says what is wrong with it.
    """
    if not text.strip(_SPACES):
        raise BadOrder("It was empty.")
    if len(text) > MAX_TEXT:
        raise BadOrder(f"It is longer than {MAX_TEXT} characters.")
    try:
        value = _DECODER.decode(text)
    except BadOrder:
        raise
    except (ValueError, RecursionError):
        # RecursionError: brackets nested deeper than the parser goes; ValueError: also numbers of very many digits.
        raise BadOrder(f"{quote(text)} is not JSON.") from None
    if not isinstance(value, dict):
        raise BadOrder(f"{quote(text)} is no JSON object in braces.")
    sides: dict[str, dict[str, int]] = {"sell": {}, "buy": {}}
    for side, shares in value.items():
        if side not in sides:
            raise BadOrder(f'{quote(side)} is neither "sell" nor "buy".')
        if not isinstance(shares, dict):
            raise BadOrder(f'"{side}" needs an object from stocks to numbers, not {_shown(shares)}.')
        for stock, quantity in shares.items():
            if stock not in stocks:
                raise BadOrder(f"There is no stock {quote(stock)}.")
            # 10.0 is a whole number; true is no number, though Python takes it for 1.
            if isinstance(quantity, bool) or not isinstance(quantity, (int, float)) or quantity != quantity // 1:
                raise BadOrder(f"{stock} needs a whole number of shares, not {_shown(quantity)}.")
            if quantity < 0:
                raise BadOrder(f"{stock} needs a number of shares from 0 on, not {_shown(quantity)}.")
            if quantity > MAX_QUANTITY:
                raise BadOrder(f"{_shown(quantity)} shares of {stock} are more than an order may name, {MAX_QUANTITY}.")
            if quantity:
                sides[side][stock] = int(quantity)
    return Order(**sides)
