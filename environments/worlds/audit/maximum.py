"""Whether every level's maximum is proved or bounded, and the best known play reaches what it claims."""

from __future__ import annotations

from .finding import Finding
from .subject import Subject

NAME = "maximum"

SLACK = 1e-9


def check(subject: Subject) -> Finding:
    """No known play exceeds the bound, and the gap between both is stated."""
    facts = subject.facts
    above = [f for f in facts if max(f.reached, f.random, f.greedy, f.ahead) > f.maximum + SLACK]
    exact = sum(f.exact or abs(f.maximum - f.reached) <= SLACK for f in facts)
    gap = max(f.maximum - f.reached for f in facts)
    numbers = {"levels": len(facts), "exact": exact, "largest_gap": gap}
    if above:
        f = above[0]
        return Finding(
            NAME,
            False,
            f"Level {f.hash}: play earns {max(f.reached, f.random, f.greedy, f.ahead):g}, above the maximum "
            f"{f.maximum:g}. The core's solver states a bound that is none.",
            numbers,
        )
    return Finding(NAME, True, f"{exact} of {len(facts)} levels exact; largest gap to a known play {gap:.3g}.", numbers)
