"""What tokens cost, and a purse that is never overdrawn."""

from __future__ import annotations

import asyncio
import json
import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import RunStopped, UsageError

__all__ = ["Price", "Purse", "read_prices"]


@dataclass(frozen=True, slots=True)
class Price:
    """Prices of one model, in US dollars per million tokens.

    Args:
        input: Prompt tokens.
        output: Generated tokens, thinking included.
        cached: Prompt tokens that a cache spared; None: as ``input``.
    """

    input: float
    output: float
    cached: float | None = None

    def cost(self, prompt: int, cached: int, completion: int) -> float:
        """Price one call.

        Args:
            prompt: Prompt tokens in all.
            cached: Those of them that a cache spared.
            completion: Generated tokens.

        Returns:
            US dollars.
        """
        spared = self.input if self.cached is None else self.cached
        return ((prompt - cached) * self.input + cached * spared + completion * self.output) / 1e6


def read_prices(given: str | Path | Mapping[str, Any], model: str) -> Price:
    """Read the prices of a model.

    Args:
        given: A table ``{"input": 2.5, "cached": 1.25, "output": 10}``, the same as JSON, or a TOML file with one such
            table a model, named after it: ``["name/of-model"]``.
        model: The model's name.

    Raises:
        UsageError: There is no such file or table, or a price is missing or no number from 0 on.
    """
    place = "prices"
    table: Any = given
    if isinstance(given, (str, Path)):
        text = str(given)
        if text.lstrip().startswith("{"):
            try:
                table = json.loads(text)
            except ValueError as error:
                raise UsageError(f"prices = {text!r} is no JSON: {error}.") from error
        else:
            place = text
            try:
                tables = tomllib.loads(Path(text).read_text(encoding="utf-8"))
            except (OSError, ValueError) as error:
                raise UsageError(f"The price table {text!r} cannot be read: {error}.") from error
            if model not in tables:
                named = ", ".join(tables) or "none"
                raise UsageError(f"The price table {text} has no table [{model!r}]; it has: {named}.")
            table = tables[model]
    if not isinstance(table, Mapping) or not {"input", "output"} <= table.keys() <= {"input", "output", "cached"}:
        raise UsageError(
            f"{place}: the prices of {model} need 'input' and 'output' in US dollars per million tokens, and may have "
            f"'cached'; given: {table!r}."
        )
    for name, value in table.items():
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < math.inf:
            raise UsageError(f"{place}: the price {name} = {value!r} must be a number of US dollars from 0 on.")
    return Price(**{name: float(value) for name, value in table.items()})


class Purse:
    """Keeps what a run spends below a limit, also while many requests are under way.

    A request puts by the most that it can cost before it is sent, and settles what it did cost. One that does not fit
    waits for others to settle; when none is under way and it still does not fit, the run stops. So the limit is never
    passed, and at most one request's upper bound of it stays unused.

    Args:
        most: US dollars; None: only counts.
    """

    def __init__(self, most: float | None) -> None:
        self.most = most
        self.spent = 0.0
        self.lost = 0.0
        self._put_by = 0.0
        self._open = 0
        self._waiting: list[asyncio.Future[None]] = []

    async def reserve(self, bound: float) -> None:
        """Put by what a request can cost at most.

        Args:
            bound: US dollars.

        Raises:
            RunStopped: It does not fit below the limit.
        """
        if self.most is None:
            return
        while self.spent + self.lost + self._put_by + bound > self.most:
            if not self._open:
                lost = f" and up to {self.lost:.4f} for replies that were lost" if self.lost else ""
                raise RunStopped(
                    f"The next request may cost up to {bound:.4f} US dollars and would pass max_cost = {self.most:g}: "
                    f"{self.spent:.4f} are spent{lost}. What is finished is stored; the same command goes on from "
                    "there and may spend as much again, or give it another max_cost. Episodes that were not finished "
                    "begin anew; with fewer at once (concurrency) fewer are lost."
                )
            place = asyncio.get_running_loop().create_future()
            self._waiting.append(place)
            await place
        self._put_by += bound
        self._open += 1

    def settle(self, bound: float, cost: float, *, lost: bool = False) -> None:
        """Book what a request did cost.

        Args:
            bound: What was put by for it.
            cost: What it cost.
            lost: Whether the reply was lost, so that ``cost`` is only the most that it can have been.
        """
        if lost:
            self.lost += cost
        else:
            self.spent += cost
        if self.most is None:
            return
        self._put_by -= bound
        self._open -= 1
        if not self._open:
            self._put_by = 0.0  # no rounding is left over
        waiting, self._waiting = self._waiting, []
        for place in waiting:
            if not place.done():
                place.set_result(None)
