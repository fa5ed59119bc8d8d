"""What is known of each level of a world: the numbers of its certificate, without the solutions that it holds.

Certificates are not in the wheel, because they tell how scored levels are won; a score needs its chance and ceiling
wherever it is made. ``python -m finchmark.tasks.worlds`` writes ``levels.json`` from the certificates.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from ...environments.worlds.scale import Scale

__all__ = ["LEVELS", "Known", "collect", "known_levels", "normalise", "normalised_failure", "raw_failure"]

LEVELS = Path(__file__).with_name("levels.json")


class Known(NamedTuple):
    """What the references reach on one level, in reward.

    Attributes:
        random: The random player, in expectation.
        maximum: The best with full information, in expectation.
        exact: Whether both were computed over all states.
    """

    random: float
    maximum: float
    exact: bool


@cache
def _read() -> dict[str, dict[str, list[Any]]]:
    return json.loads(LEVELS.read_text(encoding="utf-8")) if LEVELS.is_file() else {}


def known_levels(world: str) -> dict[str, Known]:
    """The test levels of a world by hash; empty for one that is not in the table."""
    return {name: Known(*row) for name, row in _read().get(world, {}).items()}


def collect(certificate: dict[str, Any]) -> dict[str, list[Any]]:
    """The rows of a certificate's test levels."""
    return {
        fact["hash"]: [round(fact["random"], 9), round(fact["maximum"], 9), bool(fact["exact"])]
        for fact in certificate["levels"]
        if fact["split"] == "test"
    }


def normalise(scale: Scale, reward: float) -> float:
    """An episode's reward on its world's scale: ``(reward - random) / (reference - random)``.

    Validity asks for the normalised *mean*, ``(mean - random) / (reference - random)`` with the constants of the world
    and not of the level (section 5). With constants a and b = 1 / (reference - random) that is b (mean - a), and a mean
    of samples x is linear: b (mean(x) - a) = mean(b (x - a)). So each sample is put on the scale by the world's
    constants, and every mean over them, weighted in whatever way, is the normalised mean. With constants of the level
    it would not be: levels with little headroom would weigh most.

    Nothing is clipped: clipping is not linear, and would lift the mean of a player that is no better than chance.
    """
    return (reward - scale.random) / (scale.reference - scale.random)


def raw_failure(scale: Scale) -> float:
    """The reward that a failed sample counts as: what doing nothing earns, or what chance earns if that is less.

    An unusable action changes nothing and pays nothing, so doing nothing earns 0.
    """
    return min(0.0, scale.random)


def normalised_failure(scale: Scale) -> float:
    """The score that a failed sample counts as: never above chance."""
    return normalise(scale, raw_failure(scale))
