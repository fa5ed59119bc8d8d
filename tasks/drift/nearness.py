"""How near a reply is to what the same model would say if it were told goal and request afresh."""

from __future__ import annotations

from ...suite.agents.similarity import similarities
from ...suite.task import Episode

__all__ = ["nearness"]


async def nearness(ctx: Episode, reply: str, grounded: str, ideal: str, seat: str = "player") -> dict[str, float]:
    """The exploratory numbers of a turn.

    Args:
        ctx: The episode; its model has just written the reply.
        reply: What it wrote.
        grounded: Goal and last request, as one message: the context that drift is measured against.
        ideal: A reply that keeps all.
        seat: Who wrote it.

    Returns:
        ``similarity``, the cosine of TF-IDF vectors.
    """
    return {"similarity": float(similarities([reply, ideal])[0, 1])}
