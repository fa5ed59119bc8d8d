"""Whether every level can be won, or something can be won in it, within the horizon."""

from __future__ import annotations

from .finding import Finding
from .subject import Subject

NAME = "solvable"

LEAST_SUCCESS = 0.5
"""What the best play of a binary level wins at least, where chance decides too."""


def check(subject: Subject) -> Finding:
    """Binary: the best play wins half of the time or more, within the horizon. Else: it beats chance."""
    world, facts = subject.world, subject.facts
    if world.reward.kind == "binary":
        stuck = [f for f in facts if f.reached < LEAST_SUCCESS]
        wanted = f"wins {LEAST_SUCCESS:.0%} of the time or more"
    else:
        stuck = [f for f in facts if not f.reached > f.random + 1e-9]
        wanted = "earns more than the random player"
    steps = [f.shortest for f in facts if f.shortest is not None]
    numbers = {"levels": len(facts), "unsolved": len(stuck)}
    if steps:
        numbers |= {"shortest_least": min(steps), "shortest_mean": sum(steps) / len(steps), "shortest_most": max(steps)}
    if stuck:
        return Finding(
            NAME,
            False,
            f"{len(stuck)} of {len(facts)} levels: no play {wanted} in {world.horizon} steps; first {stuck[0].hash} "
            f"({stuck[0].reached:.3g}). Let the generator reject such levels, or raise the horizon.",
            numbers,
        )
    told = f"; shortest solutions {min(steps)} to {max(steps)} steps" if steps else ""
    return Finding(NAME, True, f"In all {len(facts)} levels the best play {wanted}{told}.", numbers)
