"""Every random number comes from here.

Seeds are derived by *hashing* a path of names and numbers, never by adding: ``seed + index``
makes neighbouring seeds share nearly all their items (499 of 2,000 stay unique in a generator that
reseeds by addition; 496 of 500 are shared between seeds 42 and 43).
"""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING

from .canonical import canonical_json

if TYPE_CHECKING:
    import numpy as np

__all__ = ["derive", "generator", "uniform"]


def _digest(path: tuple[str | int, ...], size: int) -> bytes:
    return blake2b(canonical_json(path).encode("utf-8", "surrogatepass"), digest_size=size).digest()


def derive(*path: str | int) -> int:
    """Derive a seed from a path.

    Args:
        *path: Names and numbers that say what the seed is for; ``("a", 1)`` and ``("a", "1")`` differ.

    Returns:
        An integer in [0, 2**63), the same on every machine.
    """
    return int.from_bytes(_digest(path, 8), "big") >> 1


def generator(*path: str | int) -> np.random.Generator:
    """Make a NumPy generator (PCG64) from a path.

    One costs about 20 microseconds: make one an episode, and derive single keys inside it with
    :func:`derive` or :func:`uniform`.

    Args:
        *path: As for :func:`derive`; 128 bits of its hash are the entropy.

    Returns:
        A fresh generator that shares no state with any other.
    """
    import numpy as np

    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(int.from_bytes(_digest(path, 16), "big"))))


def uniform(*path: str | int) -> float:
    """Derive one number from a path, uniform on [0, 1), with 53 random bits."""
    return (int.from_bytes(_digest(path, 8), "big") >> 11) * 2.0**-53
