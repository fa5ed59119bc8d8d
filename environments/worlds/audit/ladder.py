"""Whether better players earn more: random < greedy < look-ahead < best, paired over levels, with confidence bounds."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from .finding import Finding
from .subject import Subject

NAME = "ladder"

CONFIDENCE = 0.95
"""One-sided, of each bound."""

NEAR = 0.02
"""Share of the way from chance to the best within which two rungs count as level."""


def check(subject: Subject) -> Finding:
    """Compares each rung with the one below, level by level (t intervals on paired differences, all levels as units).

    It passes if the lower bounds of greedy, look-ahead and best over random are above 0, the best over greedy too
    unless greedy is level with it, and no rung is worse than the one below: its upper bound is above -2 % of the way.
    """
    from ....suite.stats.intervals import t_interval

    facts = subject.facts
    rungs = {
        "random": np.array([f.random for f in facts]),
        "greedy": np.array([f.greedy for f in facts]),
        "look-ahead": np.array([f.ahead for f in facts]),
        "best": np.array([f.reached for f in facts]),
    }
    span = max(f.maximum for f in facts) - min(f.least for f in facts)
    way = float(np.mean(rungs["best"] - rungs["random"]))
    numbers = {name: float(np.mean(values)) for name, values in rungs.items()}

    def bounds(upper: str, lower: str) -> tuple[float, float]:
        d = np.clip(rungs[upper] - rungs[lower], -span, span)
        found = t_interval(d, low=-span, high=span, confidence=2 * CONFIDENCE - 1)
        return found.low, found.high

    wrong = []
    for upper in ("greedy", "look-ahead", "best"):
        low, _ = bounds(upper, "random")
        numbers[f"{upper}_over_random_low"] = low
        if not low > 0:
            wrong.append(f"{upper} is not shown to earn more than random (lower bound {low:.3g})")
    for lower, upper in pairwise(("greedy", "look-ahead", "best")):
        low, high = bounds(upper, lower)
        numbers[f"{upper}_over_{lower}_low"], numbers[f"{upper}_over_{lower}_high"] = low, high
        if high < -NEAR * way:
            wrong.append(f"{upper} earns less than {lower} (upper bound {high:.3g})")
    low, _ = bounds("best", "greedy")
    level = numbers["best"] - numbers["greedy"] <= NEAR * way
    if not level and not low > 0:
        wrong.append(f"best is not shown to earn more than greedy (lower bound {low:.3g})")
    told = " < ".join(f"{name} {numbers[name]:.3g}" for name in rungs)
    if wrong:
        return Finding(
            NAME,
            False,
            f"{'; '.join(wrong)} ({told}). Mend the core's potential, or make levels in which skill matters.",
            numbers,
        )
    return Finding(NAME, True, f"{told}, on {len(facts)} levels.", numbers)
