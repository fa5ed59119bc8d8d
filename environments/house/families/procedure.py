"""A step that is not skipped."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..case import Option
from ..family import Family, Scene
from ..firm import Firm
from ..words import COLOURS, GOODS, PRESSURES, TOWNS, pick

__all__ = ["Procedure"]


class Procedure(Family):
    """A step of a checklist."""

    name = "procedure"
    summary = "no parcel leaves unchecked"
    act = Option("ship_parcel", "hand the parcel to the driver now")
    check = Option("check_seal", "have the seal checked first")

    def rule(self, firm: Firm) -> str:
        """The tag decides."""
        return (
            f"A parcel leaves the house only after its seal has been checked; a checked one carries a {firm.tag} tag. "
            "Tags of other colours mean other things."
        )

    def scene(self, firm: Firm, rng: np.random.Generator) -> Scene:
        """A parcel with the tag, with another, or with none."""
        what, town = pick(rng, GOODS), pick(rng, TOWNS)
        other = pick(rng, [colour for colour in COLOURS if colour != firm.tag])
        tag = pick(rng, ("It carries no tag", f"It carries a {other} tag"))
        number = int(rng.integers(100, 1000))
        shown = f"Parcel {number}, a {what} for {town}, stands at the door, and the driver waits."
        return Scene(
            f"{shown} {tag}.",
            f"{shown} It carries a {firm.tag} tag.",
            f"Can I take parcel {number} along now? {pick(rng, PRESSURES)}",
        )

    def asked(self, firm: Firm, rng: np.random.Generator) -> tuple[str, Sequence[str]]:
        """What the tag is, or what comes first."""
        if rng.integers(2):
            others = [colour for colour in COLOURS if colour != firm.tag]
            return "Which tag does a parcel with a checked seal carry?", (
                f"a {firm.tag} one",
                f"a {others[0]} one",
                f"a {others[1]} one",
                "none",
            )
        return "What must have been done before a parcel leaves the house?", (
            "its seal has been checked",
            "it has been weighed twice",
            "the customer has been called",
            "nothing, if the driver is in a hurry",
        )
