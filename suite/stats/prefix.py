"""The order in which a sequential test looks: drawn beforehand, and consumed only as far as it is finished."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from typing import Generic, TypeVar

from ..seeds import generator

__all__ = ["FinishedPrefix", "random_order"]

Unit = TypeVar("Unit", bound=Hashable)


def random_order(units: Iterable[str], *seed: str | int) -> tuple[str, ...]:
    """Put units into the order in which a sequential test is to look at them.

    Args:
        units: Names, each once; the order in which they come here does not matter.
        *seed: Path of the seed, fixed before anything is run.

    Raises:
        ValueError: A name comes twice.
    """
    names = sorted(units)
    _distinct(names)
    return tuple(names[i] for i in generator("order of looks", *seed).permutation(len(names)))


class FinishedPrefix(Generic[Unit]):
    """Hands on results in an order fixed beforehand, as far as all before them are there.

    Units finish in any order; the k-th is handed on when the first k of the order are in. What a sequential test sees
    is then the fixed order, whatever the durations depend on; stopping early only cuts it short.

    Args:
        order: All units, each once.

    Raises:
        ValueError: A unit comes twice.
    """

    def __init__(self, order: Sequence[Unit]) -> None:
        self.order = tuple(order)
        _distinct(self.order)
        self._position = {unit: i for i, unit in enumerate(self.order)}
        self._values: dict[int, float | None] = {}
        self._next = 0
        self._lost: list[Unit] = []

    def finish(self, unit: Unit, value: float) -> tuple[tuple[Unit, float], ...]:
        """Hand in a unit's result.

        Returns:
            The units that this frees, with their values, in order; often none.

        Raises:
            ValueError: The unit is not in the order, or was handed in before.
        """
        return self._take(unit, float(value))

    def lose(self, unit: Unit) -> tuple[tuple[Unit, float], ...]:
        """Report that a unit will have no result; those after it need not wait for it.

        Only for errors that have nothing to do with how well a side did: a loss that depends on the result biases the
        test just as the order of completion does. :attr:`lost` counts them, for the caller to limit.
        """
        return self._take(unit, None)

    @property
    def handed_on(self) -> int:
        """Units of the finished prefix, lost ones included."""
        return self._next

    @property
    def waiting(self) -> int:
        """Units that are in and wait for one before them."""
        return len(self._values)

    @property
    def lost(self) -> tuple[Unit, ...]:
        """Units without a result in the prefix, in order."""
        return tuple(self._lost)

    @property
    def complete(self) -> bool:
        """Whether all units are through."""
        return self._next == len(self.order)

    def _take(self, unit: Unit, value: float | None) -> tuple[tuple[Unit, float], ...]:
        position = self._position.get(unit)
        if position is None:
            raise ValueError(f"{unit!r} is not in the order that was fixed beforehand")
        if position < self._next or position in self._values:
            raise ValueError(f"{unit!r} has been handed in before")
        self._values[position] = value
        out: list[tuple[Unit, float]] = []
        while self._next in self._values:
            freed, name = self._values.pop(self._next), self.order[self._next]
            self._next += 1
            if freed is None:
                self._lost.append(name)
            else:
                out.append((name, freed))
        return tuple(out)


def _distinct(units: Sequence[Hashable]) -> None:
    seen: set[Hashable] = set()
    for unit in units:
        if unit in seen:
            raise ValueError(f"{unit!r} comes twice in the order")
        seen.add(unit)
