"""Figures of the paper whose formulation this is. They are not reproduced here: other worlds, other models."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["PUBLISHED", "SOURCE", "Published"]

SOURCE = "AutoEnv, Zhang et al. 2025, arXiv 2511.19304 v2"


@dataclass(frozen=True, slots=True)
class Published:
    """One published figure, in per cent of a level's listed maximum reward.

    Attributes:
        what: Where it stands: environments and executor.
        name: The method, or what else.
        value: As printed, without an interval: the paper has none.
        usd: Dollars an environment; None where the paper does not say.
    """

    what: str
    name: str
    value: float
    usd: float | None = None


_SIX, _QWEN, _ALL = "6 environments, DeepSeek-V3.1", "6 environments, Qwen-2.5-7B", "36 environments, Gemini-2.5-Flash"

PUBLISHED: tuple[Published, ...] = (
    Published("6 environments, Claude-4-Sonnet", "no learning", 38.17),
    Published(_SIX, "no learning", 34.99, 0.60),
    Published(_SIX, "best-dynamics-prompt", 38.71, 0.67),
    Published(_SIX, "best-instruction-prompt", 34.68, 0.68),
    Published(_SIX, "best-dynamics-agent", 40.77, 0.49),
    Published(_SIX, "best-instruction-agent", 35.92, 0.60),
    Published(_SIX, "pareto-dynamics-prompt", 38.40, 0.69),
    Published(_SIX, "pareto-instruction-prompt", 42.99, 0.76),
    Published(_SIX, "pareto-dynamics-agent", 37.10, 0.43),
    Published(_SIX, "pareto-instruction-agent", 33.30, 0.53),
    Published(_SIX, "upper bound, best", 43.56),
    Published(_SIX, "upper bound, pareto", 45.11),
    Published(_SIX, "upper bound", 46.34),
    Published(_QWEN, "no learning", 17.53),
    Published(_QWEN, "dynamics-prompt", 18.89),
    Published(_QWEN, "instruction-prompt", 19.86),
    Published(_QWEN, "dynamics-agent", 24.75),
    Published(_QWEN, "instruction-agent", 22.33),
    Published(_QWEN, "fine-tuning on trajectories", 25.09),
    Published(_QWEN, "upper bound", 28.86),
    Published(_ALL, "no learning", 39.41),
    Published(_ALL, "best-dynamics-prompt", 42.40),
    Published(_ALL, "best-dynamics-agent", 40.36),
    Published(_ALL, "best-instruction-prompt", 41.56),
    Published(_ALL, "best-instruction-agent", 37.76),
    Published(_ALL, "upper bound", 47.75),
)
"""Upper bounds are maxima on test: optimistic. The table with Qwen does not say which selection was used."""
