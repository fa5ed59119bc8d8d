"""What is to be made, and within which bounds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ....suite.errors import UsageError

__all__ = ["Plan"]


@dataclass(frozen=True)
class Plan:
    """One making of harder items. All that it decides is in here; the models stand beside it.

    Args:
        explore: Names of base problems that get further levels of constraints.
        combos: How many pairs of base problems are tried; the pairs follow from the seed.
        seed: All random numbers and the seeds of all calls follow from it.
        start: Where levels begin. ``top``: on top of those that a problem ships. ``plain``: at its plain solution, and
            its shipped levels are left out.
        levels: Levels of a problem at most, in 1 to 4.
        proposals: How often a constraint, a fused program, its inputs or its statement may be proposed anew.
        tries: How often a solver tries. A level is solved at the first success. A fused problem is tried so often by
            solvers that know its statement only: none solves it, and it is unsolvable; all do, and it is trivial.
        max_tokens: Cap on a reply.
        temperature: Of all calls.

    Raises:
        UsageError: A number is out of its range, or nothing is to be made.
    """

    explore: tuple[str, ...] = ()
    combos: int = 0
    seed: int = 0
    start: Literal["top", "plain"] = "top"
    levels: int = 4
    proposals: int = 3
    tries: int = 4
    max_tokens: int = 2_048
    temperature: float = 0.7

    def __post_init__(self) -> None:
        if not self.explore and not self.combos:
            raise UsageError("Nothing is to be made: name base problems to explore, or a number of combos.")
        if self.start not in ("top", "plain"):
            raise UsageError(f"start is 'top' or 'plain', not {self.start!r}.")
        bounds = {
            "combos": (0, 10_000),
            "levels": (1, 4),
            "proposals": (1, 100),
            "tries": (2, 100),
            "max_tokens": (1, 1_000_000),
            "temperature": (0, 100),
        }
        for name, (low, high) in bounds.items():
            if not low <= getattr(self, name) <= high:
                raise UsageError(f"{name} is {getattr(self, name)!r}; it lies between {low} and {high}.")
        if len(set(self.explore)) < len(self.explore):
            raise UsageError("A base problem is named twice.")
