"""The environments that Finchmark ships: names, where their classes are, and one line each.

Reading this list imports neither NumPy nor Gymnasium.
"""

from __future__ import annotations

import runpy
from pathlib import Path

from ..suite.registry import Entry

__all__ = ["CATALOGUE"]

_WORLDS = Path(__file__).with_name("worlds")


def _worlds() -> tuple[Entry, ...]:
    """The generated worlds that have passed their audits: those with a scale, which are the registered ones.

    The list of worlds is run by its path: to import it is to import its package, which registers with Gymnasium.
    """
    return tuple(
        Entry(
            name=f"finchmark-worlds/{line.name}-v1",
            target="finchmark.environments.worlds.env:WorldEnv",
            summary=line.summary,
        )
        for line in runpy.run_path(str(_WORLDS / "catalogue.py"))["WORLDS"]
        if (_WORLDS / "scales" / f"{line.name}.yaml").is_file()
    )


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
    Entry(
        name="finchmark/Game-v1",
        target="finchmark.environments.openspiel.env:GameEnv",
        summary="A small game of cards or dice against a fixed player: Kuhn, Leduc, Goofspiel, Liar's dice, Dark Hex.",
    ),
    *_worlds(),
)
