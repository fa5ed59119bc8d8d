"""The environments that Finchmark ships: names, where their classes are, and one line each.

Reading this list imports neither NumPy nor Gymnasium.
"""

from __future__ import annotations

from ..suite.registry import Entry

__all__ = ["CATALOGUE"]

CATALOGUE = (
    Entry(
        name="finchmark/Lights-v1",
        target="finchmark.environments.odyssey.lights:LightsEnv",
        summary="Switch on all bulbs; each switch works only under a hidden condition on the other bulbs.",
    ),
    Entry(
        name="finchmark/Trade-v1",
        target="finchmark.environments.odyssey.trade:TradeEnv",
        summary="Trade stocks; the news tells tomorrow's factors, and how they move the prices is hidden.",
    ),
    Entry(
        name="finchmark/Energy-v1",
        target="finchmark.environments.odyssey.energy:EnergyEnv",
        summary="Run a power grid for weeks; wind and sun follow patterns whose periods nobody tells.",
    ),
    Entry(
        name="finchmark/Repo-v1",
        target="finchmark.environments.odyssey.repo:RepoEnv",
        summary="Install packages until a project runs; which versions go together is hidden.",
    ),
)
