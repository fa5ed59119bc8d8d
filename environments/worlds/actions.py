"""What can be done in a world: named actions with typed parameters, checked before anything changes."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple, TypeAlias

from ...suite.errors import UsageError
from ..odyssey.quotes import quote
from .keys import Key

__all__ = ["Action", "ActionKind", "ActionSchema", "Choice", "Integer", "Parameter", "Real", "Several", "Value"]

Value: TypeAlias = str | int | float | tuple[str, ...]

_MOST_ACTIONS = 10_000


class Action(NamedTuple):
    """An action: its name and a value for each parameter, in their order. Hashable; compare with ``==``."""

    name: str
    values: tuple[Value, ...] = ()


def _listing(options: tuple[str, ...]) -> str:
    return options[0] if len(options) == 1 else f"{', '.join(options[:-1])} or {options[-1]}"


@dataclass(frozen=True, slots=True)
class Choice:
    """A parameter that takes one of some words.

    Args:
        name: The parameter's.
        options: The words, at least one.
    """

    name: str
    options: tuple[str, ...]

    def __post_init__(self) -> None:
        if not self.options or len(set(self.options)) < len(self.options):
            raise UsageError(f"The parameter {self.name!r} needs options that differ, not {self.options!r}.")

    def problem(self, value: object) -> str | None:
        """What is wrong with a value; None if nothing is."""
        return None if isinstance(value, str) and value in self.options else self.range

    @property
    def range(self) -> str:
        """The values in words."""
        return _listing(self.options)

    def values(self) -> Iterator[str] | None:
        """All values; None if there are too many to list."""
        return iter(self.options)

    def sample(self, key: Key) -> str:
        """One value, uniformly."""
        return self.options[key.integer(len(self.options))]


@dataclass(frozen=True, slots=True)
class Integer:
    """A parameter that takes a whole number.

    Args:
        name: The parameter's.
        low: The least.
        high: The most, included.
    """

    name: str
    low: int
    high: int

    def __post_init__(self) -> None:
        if self.low > self.high:
            raise UsageError(f"The parameter {self.name!r} has no value: low {self.low} is above high {self.high}.")

    def problem(self, value: object) -> str | None:
        """What is wrong with a value; None if nothing is."""
        return None if type(value) is int and self.low <= value <= self.high else self.range

    @property
    def range(self) -> str:
        """The values in words."""
        return f"a whole number from {self.low} to {self.high}"

    def values(self) -> Iterator[int] | None:
        """All values; None if there are too many to list."""
        return iter(range(self.low, self.high + 1)) if self.high - self.low < _MOST_ACTIONS else None

    def sample(self, key: Key) -> int:
        """One value, uniformly."""
        return self.low + key.integer(self.high - self.low + 1)


@dataclass(frozen=True, slots=True)
class Real:
    """A parameter that takes a number. A schema with one is not finite: searches use ``steps`` even values.

    Args:
        name: The parameter's.
        low: The least.
        high: The most, included.
        steps: How many evenly spaced values searches try, at least 2.
    """

    name: str
    low: float
    high: float
    steps: int = 5

    def __post_init__(self) -> None:
        if not (math.isfinite(self.low) and math.isfinite(self.high) and self.low < self.high and self.steps >= 2):
            raise UsageError(f"The parameter {self.name!r} needs finite low < high and 2 or more steps, not {self}.")

    def problem(self, value: object) -> str | None:
        """What is wrong with a value; None if nothing is."""
        return None if type(value) in (int, float) and self.low <= value <= self.high else self.range  # type: ignore[operator]  # a number, as type() has told

    @property
    def range(self) -> str:
        """The values in words."""
        return f"a number from {self.low:g} to {self.high:g}"

    def values(self) -> Iterator[float] | None:
        """None: there are too many to list."""
        return None

    def grid(self) -> Iterator[float]:
        """The values that searches try."""
        return (self.low + (self.high - self.low) * i / (self.steps - 1) for i in range(self.steps))

    def sample(self, key: Key) -> float:
        """One value, uniformly, with three decimals as a player would write it."""
        return min(self.high, max(self.low, round(self.low + (self.high - self.low) * key.uniform(), 3)))


@dataclass(frozen=True, slots=True)
class Several:
    """A parameter that takes a list of words, each at most once; their order counts.

    Args:
        name: The parameter's.
        options: The words, at least one.
        least: The fewest words in a list.
        most: The most.
    """

    name: str
    options: tuple[str, ...]
    least: int
    most: int

    def __post_init__(self) -> None:
        if len(set(self.options)) < len(self.options) or not 1 <= self.least <= self.most <= len(self.options):
            raise UsageError(f"The parameter {self.name!r}: 1 <= least <= most <= different options, not {self}.")

    def problem(self, value: object) -> str | None:
        """What is wrong with a value; None if nothing is."""
        if (
            isinstance(value, tuple)
            and self.least <= len(value) <= self.most
            and len(set(value)) == len(value)
            and all(word in self.options for word in value)
        ):
            return None
        return self.range

    @property
    def range(self) -> str:
        """The values in words."""
        count = f"{self.least}" if self.least == self.most else f"{self.least} to {self.most}"
        return f"{count} of {', '.join(self.options)}, joined by commas, each at most once"

    def _count(self) -> int:
        return sum(math.perm(len(self.options), k) for k in range(self.least, self.most + 1))

    def values(self) -> Iterator[tuple[str, ...]] | None:
        """All values; None if there are too many to list."""
        if self._count() > _MOST_ACTIONS:
            return None
        sizes = range(self.least, self.most + 1)
        return itertools.chain.from_iterable(itertools.permutations(self.options, k) for k in sizes)

    def sample(self, key: Key) -> tuple[str, ...]:
        """One value: its length uniformly, then the words."""
        words = list(self.options)
        count = self.least + key.integer(self.most - self.least + 1)
        return tuple(words.pop(key.integer(len(words), slot + 1)) for slot in range(count))


Parameter: TypeAlias = Choice | Integer | Real | Several


@dataclass(frozen=True, slots=True)
class ActionKind:
    """An action's name and parameters.

    Args:
        name: One word.
        summary: What it does as far as a player is told; ``{word}`` stands for a word of the skin.
        parameters: In the order in which a player gives them.
    """

    name: str
    summary: str = ""
    parameters: tuple[Parameter, ...] = ()


@dataclass(frozen=True)
class ActionSchema:
    """All that can be done in a world; the same in all of its levels.

    Args:
        kinds: At least one, by different names.

    Raises:
        UsageError: A name stands twice.
    """

    kinds: tuple[ActionKind, ...]

    def __post_init__(self) -> None:
        names = [kind.name for kind in self.kinds]
        if not names or len(set(names)) < len(names):
            raise UsageError(f"An action schema needs actions by different names, not {names}.")

    @cached_property
    def by_name(self) -> dict[str, ActionKind]:
        """The kinds by name."""
        return {kind.name: kind for kind in self.kinds}

    def problem(self, action: Action) -> str | None:
        """Say what is wrong with an action; None if it is one of this schema.

        Args:
            action: Anything that was made as an action; never an exception.
        """
        kind = self.by_name.get(action.name)
        if kind is None:
            return f"There is no action {quote(str(action.name))}."
        if len(action.values) != len(kind.parameters):
            return f"{quote(kind.name)} takes {len(kind.parameters)} values, not {len(action.values)}."
        for parameter, value in zip(kind.parameters, action.values, strict=True):
            if (wanted := parameter.problem(value)) is not None:
                return f"{quote(parameter.name)} of {quote(kind.name)} is {wanted}, not {quote(str(value))}."
        return None

    @cached_property
    def _listed(self) -> tuple[tuple[Action, ...], tuple[float, ...]] | None:
        actions: list[Action] = []
        chances: list[float] = []
        for kind in self.kinds:
            columns: list[list[tuple[Value, float]]] = []
            for parameter in kind.parameters:
                values = parameter.values()
                if values is None:
                    return None
                listed: list[Value] = list(values)
                if isinstance(parameter, Several):
                    sizes = parameter.most - parameter.least + 1
                    perms = [math.perm(len(parameter.options), len(v)) for v in listed if isinstance(v, tuple)]
                    columns.append([(v, 1 / sizes / n) for v, n in zip(listed, perms, strict=True)])
                else:
                    columns.append([(v, 1 / len(listed)) for v in listed])
            if math.prod(map(len, columns)) + len(actions) > _MOST_ACTIONS:
                return None
            for row in itertools.product(*columns):
                actions.append(Action(kind.name, tuple(v for v, _ in row)))
                chances.append(math.prod(p for _, p in row) / len(self.kinds))
        return tuple(actions), tuple(chances)

    @property
    def finite(self) -> bool:
        """Whether all actions can be listed (at most 10,000)."""
        return self._listed is not None

    @property
    def all(self) -> tuple[Action, ...]:
        """All actions, in a fixed order: what batched stepping numbers and searches try.

        Raises:
            UsageError: There are too many.
        """
        if self._listed is None:
            raise UsageError("This schema has too many actions to list (over 10,000, or a real number): use tried.")
        return self._listed[0]

    @property
    def chances(self) -> tuple[float, ...]:
        """How likely :meth:`sample` is to draw each of :attr:`all`.

        Raises:
            UsageError: There are too many.
        """
        if self._listed is None:
            raise UsageError("This schema has too many actions to list (over 10,000, or a real number).")
        return self._listed[1]

    @cached_property
    def tried(self) -> tuple[Action, ...]:
        """The actions that searches try: :attr:`all` where finite, else with real numbers on their grids."""
        if self._listed is not None:
            return self._listed[0]
        found: list[Action] = []
        for kind in self.kinds:
            columns: list[list[Value]] = []
            for parameter in kind.parameters:
                values = parameter.grid() if isinstance(parameter, Real) else parameter.values()
                columns.append(list(values) if values is not None else [parameter.sample(Key(i)) for i in range(20)])
            found += [Action(kind.name, row) for row in itertools.islice(itertools.product(*columns), _MOST_ACTIONS)]
        return tuple(found)

    def sample(self, key: Key) -> Action:
        """Draw an action as the random player does: the name uniformly, then each parameter uniformly."""
        kind = self.kinds[key.integer(len(self.kinds))]
        if not kind.parameters:
            return Action(kind.name)
        return Action(kind.name, tuple(p.sample(key.at(i)) for i, p in enumerate(kind.parameters)))
