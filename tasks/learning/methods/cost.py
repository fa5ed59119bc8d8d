"""What learning costs, and how much of it is allowed."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal

from ....suite.errors import UsageError

__all__ = ["MEASURES", "Budget", "Cost", "Measure", "total"]

Measure = Literal["calls", "tokens", "usd"]

MEASURES: tuple[Measure, ...] = ("calls", "tokens", "usd")


@dataclass(frozen=True, slots=True)
class Cost:
    """What was asked of models.

    Attributes:
        calls: Calls.
        prompt_tokens: Tokens read, each prompt in full.
        completion_tokens: Tokens written.
        usd: US dollars, 0 where nothing is paid by the token.
    """

    calls: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    usd: float = 0.0

    def __add__(self, other: Cost) -> Cost:
        return Cost(
            self.calls + other.calls,
            self.prompt_tokens + other.prompt_tokens,
            self.completion_tokens + other.completion_tokens,
            # Sums of prices are kept as they will be read back: an experiment that goes on must count as one that ran.
            round(self.usd + other.usd, 9),
        )

    @property
    def tokens(self) -> int:
        """Tokens read and written."""
        return self.prompt_tokens + self.completion_tokens

    def by(self, measure: Measure) -> float:
        """The cost in calls, tokens or US dollars."""
        return float(getattr(self, measure))

    def data(self) -> dict[str, Any]:
        """The cost as plain data."""
        return asdict(self)

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> Cost:
        """Make a cost of :meth:`data`."""
        return cls(**{f.name: data[f.name] for f in fields(cls)})


def total(costs: Iterable[Cost]) -> Cost:
    """The sum of costs."""
    return sum(costs, Cost())


@dataclass(frozen=True, slots=True)
class Budget:
    """What one method may spend on learning in one world: on its optimiser and on the episodes that it trains by.

    Validation and test measure what was learnt, so they are counted apart. A budget that is used up ends the learning
    before the next step; the step that uses it up is finished, so that it may be exceeded by one evaluation.

    Attributes:
        calls: Most calls; None: no limit.
        tokens: Most tokens read and written; None: no limit.
        usd: Most US dollars; None: no limit.

    Raises:
        UsageError: A limit is not a positive number.
    """

    calls: int | None = None
    tokens: int | None = None
    usd: float | None = None

    def __post_init__(self) -> None:
        for measure in MEASURES:
            limit = getattr(self, measure)
            if limit is not None and not 0 < limit < math.inf:
                raise UsageError(f"The budget of {measure} is {limit!r}: a positive number, or none at all.")

    def used_up(self, spent: Cost) -> str:
        """Which limit is reached, in words; empty where none is."""
        for measure in MEASURES:
            limit = getattr(self, measure)
            if limit is not None and spent.by(measure) >= limit:
                return f"budget of {limit:g} {measure} used up ({spent.by(measure):g})"
        return ""
