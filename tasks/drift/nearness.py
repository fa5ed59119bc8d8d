"""How near a reply is to what the same model would say if it were told goal and request afresh."""

from __future__ import annotations

import math

from ...suite.agents.base import Observation
from ...suite.agents.history import joined, opening
from ...suite.agents.similarity import similarities
from ...suite.backends.base import Message
from ...suite.task import Episode

__all__ = ["nearness"]


async def nearness(ctx: Episode, reply: str, grounded: Observation, ideal: str) -> dict[str, float]:
    """The exploratory numbers of a turn.

    Args:
        ctx: The episode; its model has just written the reply.
        reply: What it wrote.
        grounded: Goal and last request, and nothing in between: the context that drift is measured against.
        ideal: A reply that keeps all.

    Returns:
        ``similarity``, the cosine of TF-IDF vectors; and where the backend compares predictions ``kl`` and ``js``,
        means over the reply's tokens. Where it gives bounds alone these are ``kl_at_least`` and ``js_at_least``:
        a bound and a number never share a name.
    """
    found = {"similarity": float(similarities([reply, ideal])[0, 1])}
    apart = await ctx.model().diverge(reply, joined([*opening(grounded), Message("user", grounded.text)]))
    if apart is not None and apart.kl:
        # An infinite divergence cannot be stored, and is not made a number.
        end = "" if apart.exact else "_at_least"
        means = {f"{name}{end}": sum(v) / len(v) for name, v in (("kl", apart.kl), ("js", apart.js))}
        found |= {name: value for name, value in means.items() if math.isfinite(value)}
    return found
