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
)
