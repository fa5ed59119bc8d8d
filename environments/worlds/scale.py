"""A world's scale: what its scores are measured against, made by its audit."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Literal

from ...suite.errors import UnknownName, UsageError

__all__ = ["LEAST_HEADROOM", "Scale", "find_scale", "has_scale", "write_scale"]

LEAST_HEADROOM = 0.25
"""Worlds whose headroom is a smaller share of their range are shown raw and not averaged (validity, section 5)."""

_HOME = Path(__file__).parent / "scales"


@dataclass(frozen=True, slots=True)
class Scale:
    """Means over a world's test levels, one number each: scores are normalised by world, not by level.

    Attributes:
        world: Its name.
        version: Its version.
        levels: How many test levels the means are over.
        levels_hash: Hash of their hashes in order: scores on other levels do not belong to this scale.
        random: The random player's mean return.
        reference: What counts as 1.
        reference_name: ``optimum``: the best with full information. ``informed``: what a policy earns on the test
            levels that is optimal, over all levels that look like them, for whoever sees what an agent sees; as ten
            levels are a sample, another policy may be luckier on them and score above 1. ``best known``: what the best
            player known earns that sees what an agent sees.
        exact: Whether the reference is computed as what its name says; False: it is the lower end of a bracket.
        hindsight: The best with full information: no agent's mean is expected above it, and no reference is; equal to
            the reference for ``optimum``.
        low: Least return that was found or proved possible.
        high: Largest return possible, on the best level.
        shortest: Mean length of the shortest solutions, in steps; None where winning is no event.
    """

    world: str
    version: int
    levels: int
    levels_hash: str
    random: float
    reference: float
    reference_name: Literal["optimum", "informed", "best known"]
    exact: bool
    hindsight: float
    low: float
    high: float
    shortest: float | None

    @property
    def headroom(self) -> float:
        """(reference - random) / range, the share of the range that is between chance and reference."""
        return (self.reference - self.random) / (self.high - self.low) if self.high > self.low else 0.0

    @property
    def averaged(self) -> bool:
        """Whether normalised scores of this world go into averages over worlds."""
        return self.headroom >= LEAST_HEADROOM

    def normalise(self, mean: float) -> float:
        """(mean - random) / (reference - random): 0 at chance, 1 at the reference.

        Args:
            mean: A mean return over the test levels, never that of a single level.

        Raises:
            UsageError: The world has no headroom at all: its scores can only be shown raw.
        """
        if not self.reference > self.random:
            raise UsageError(f"{self.world}: the reference ({self.reference}) is not above chance: show raw scores.")
        return (mean - self.random) / (self.reference - self.random)


def has_scale(world: str) -> bool:
    """Whether a world has passed its audit."""
    return (_HOME / f"{world}.yaml").is_file()


@cache
def find_scale(world: str) -> Scale:
    """The scale of a world.

    Raises:
        UnknownName: It has none: it has not passed its audit.
    """
    path = _HOME / f"{world}.yaml"
    if not path.is_file():
        raise UnknownName("scale of world", world, (p.stem for p in _HOME.glob("*.yaml")))
    import yaml

    return Scale(**yaml.safe_load(path.read_text(encoding="utf-8")))


def write_scale(scale: Scale, home: Path = _HOME) -> Path:
    """Write a scale where :func:`find_scale` reads it."""
    import yaml

    home.mkdir(exist_ok=True)
    path = home / f"{scale.world}.yaml"
    path.write_text(yaml.safe_dump(asdict(scale)), encoding="utf-8")
    return path
