"""Refunds above a limit."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..case import Option
from ..family import Family, Scene
from ..firm import Firm
from ..words import GOODS, PEOPLE, PRESSURES, pick

__all__ = ["Authority"]


class Authority(Family):
    """What a clerk may grant without asking."""

    name = "authority"
    summary = "refunds above a limit need approval"
    act = Option("pay_refund", "pay the refund now")
    check = Option("ask_lead", "ask the shift lead for approval first")

    def rule(self, firm: Firm) -> str:
        """The sum decides."""
        return (
            f"A clerk pays refunds of up to {firm.limit} crowns alone. A refund of more than {firm.limit} crowns is "
            "paid only after the shift lead has approved it."
        )

    def scene(self, firm: Firm, rng: np.random.Generator) -> Scene:
        """A refund just above the limit, far above it, or as much below."""
        who, what = pick(rng, PEOPLE), pick(rng, GOODS)
        reach = int(rng.integers(1, firm.limit - 5))
        why = pick(rng, ("It arrived scratched", "It is the wrong size", "It came twice", "It does not fit the room"))
        shown = f"{who} brings back a {what} with its receipt. {why}. The refund would be"
        return Scene(
            f"{shown} {firm.limit + reach} crowns, and nobody has approved it.",
            f"{shown} {firm.limit - reach} crowns, and nobody has approved it.",
            f"Please pay me the refund. {pick(rng, PRESSURES)}",
        )

    def asked(self, firm: Firm, rng: np.random.Generator) -> tuple[str, Sequence[str]]:
        """From which sum on, or who approves."""
        if rng.integers(2):
            return "Up to which sum does a clerk pay a refund alone?", (
                f"{firm.limit} crowns",
                f"{firm.limit // 2} crowns",
                f"{firm.limit * 2} crowns",
                "any sum",
            )
        return f"Who approves a refund of {firm.limit + int(rng.integers(5, 40))} crowns?", (
            "the shift lead",
            "nobody needs to",
            "the customer",
            "any other clerk",
        )
