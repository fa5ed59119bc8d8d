"""Random keys: a draw is a function of a key and a slot, so that nothing is consumed and nothing is shared."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from ...suite.seeds import derive

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

__all__ = ["STILL", "Key", "child_keys", "integers", "key_array", "uniforms"]

T = TypeVar("T")

_MASK = (1 << 64) - 1
_STEP = 0x9E3779B97F4A7C15
_SLOT = 0xD1342543DE82EF95
_MIX_1, _MIX_2 = 0xBF58476D1CE4E5B9, 0x94D049BB133111EB


def _mix(z: int) -> int:
    """The 64-bit finaliser of SplitMix64 (Steele, Lea and Flood 2014, OOPSLA; Stafford's variant 13)."""
    z = (z ^ (z >> 30)) * _MIX_1 & _MASK
    z = (z ^ (z >> 27)) * _MIX_2 & _MASK
    return z ^ (z >> 31)


@dataclass(frozen=True, slots=True)
class Key:
    """A random key: 64 bits that stand for all draws made from them.

    The root of an episode is a blake2b hash (:func:`finchmark.suite.seeds.derive`); inside an episode keys are mixed by
    the counter-based finaliser of SplitMix64, which is the same in Python integers and in NumPy's, and so a batched
    core draws what the scalar one draws.

    Args:
        value: In [0, 2**64).
    """

    value: int

    @classmethod
    def of(cls, *path: str | int) -> Key:
        """The key of a path of names and numbers; see :func:`finchmark.suite.seeds.derive`."""
        return cls(_mix(derive(*path)))

    def at(self, index: int) -> Key:
        """The key with a number below this one: of a step, of an entity. Independent of all draws from this one."""
        return Key(_mix((self.value + (index + 1) * _STEP) & _MASK))

    def uniform(self, slot: int = 0) -> float:
        """A number uniform on [0, 1), 53 bits; another one for every slot."""
        return (_mix((self.value + (slot + 1) * _SLOT) & _MASK) >> 11) * 2.0**-53

    def integer(self, count: int, slot: int = 0) -> int:
        """A whole number uniform on 0 … count - 1 (for count under 2**32; the bias is below 2**-21)."""
        return int(self.uniform(slot) * count)

    def pick(self, outcomes: Sequence[tuple[float, T]], slot: int = 0) -> T:
        """One of weighted outcomes, by the inverse of their cumulative distribution.

        Args:
            outcomes: Pairs of probability and outcome, at least one; the probabilities sum to 1.
            slot: Which draw of this key.
        """
        left = self.uniform(slot)
        for probability, outcome in outcomes:
            left -= probability
            if left < 0:
                return outcome
        return outcomes[-1][1]


STILL = Key(0)
"""What is handed over where nothing may be random."""


def key_array(keys: Sequence[Key]) -> NDArray[np.uint64]:
    """Keys as an array, shape (keys,)."""
    import numpy as np

    return np.array([key.value for key in keys], dtype=np.uint64)


def _mixed(z: NDArray[np.uint64]) -> NDArray[np.uint64]:
    import numpy as np

    z = (z ^ (z >> np.uint64(30))) * np.uint64(_MIX_1)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(_MIX_2)
    return z ^ (z >> np.uint64(31))


def child_keys(keys: NDArray[np.uint64], index: int | NDArray[np.uint64]) -> NDArray[np.uint64]:
    """:meth:`Key.at` on an array; ``index`` is one number or an array of the keys' shape."""
    import numpy as np

    # An array even of one number: NumPy warns where a scalar wraps round, which is meant here.
    return _mixed(keys + (np.atleast_1d(np.asarray(index, dtype=np.uint64)) + np.uint64(1)) * np.uint64(_STEP))


def uniforms(keys: NDArray[np.uint64], slot: int = 0) -> NDArray[np.float64]:
    """:meth:`Key.uniform` on an array: the same numbers, bit for bit."""
    import numpy as np

    offset = np.uint64((slot + 1) * _SLOT & _MASK)
    return (_mixed(keys + offset) >> np.uint64(11)).astype(np.float64) * 2.0**-53


def integers(keys: NDArray[np.uint64], count: int, slot: int = 0) -> NDArray[np.int64]:
    """:meth:`Key.integer` on an array."""
    return (uniforms(keys, slot) * count).astype("int64")
