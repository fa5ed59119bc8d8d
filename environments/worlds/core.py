"""A core: one dynamics with all its rewards, observations and skins, its generator and what knows how to play it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from ...suite.errors import UsageError
from .actions import Action
from .dynamics import Dynamics
from .level import Generator, Level, Split
from .observation import Observation
from .parsing import ActionReader
from .reward import Reward
from .skin import Skin, Vocabulary

if TYPE_CHECKING:
    from .keys import Key
    from .world import World

__all__ = ["Core", "Player", "Solved", "Solver"]


class Player(Protocol):
    """Plays from what an agent sees: the lower end of a bracket for partial worlds. Made anew for every episode."""

    def act(self, view: Any, reward: float, key: Key) -> Action:
        """Choose an action.

        Args:
            view: What is seen now.
            reward: What the last step paid, 0.0 before the first.
            key: For draws of its own.
        """
        ...


@dataclass(frozen=True)
class Solved:
    """What a core's own solver found for one level of one world.

    Args:
        bound: No policy earns more in expectation over the noise.
        act: The best action known in a state: ``act(state, time)``. The audit plays it to see what it earns.
        reason: Why the bound is one, in a sentence.
    """

    bound: float
    act: Callable[[Any, int], Action]
    reason: str


Solver = Callable[["World", Any], Solved]
"""Solves a level of a world whose states are too many to list: ``solver(world, params)``."""


@dataclass(frozen=True, eq=False)
class Core:
    """One dynamics and all that goes with it. Every combination is a world.

    Args:
        name: One word.
        summary: One line: the mechanics.
        dynamics: States, actions, transitions.
        generator: Draws levels.
        rewards: What may pay, by name.
        observations: What may be seen, by name.
        skins: How it may be shown, by name.
        potential: How promising a state is, in units of reward: ``potential(params, state, reward)``. Greedy and
            look-ahead players add it to what the steps up to it have paid.
        player: Makes a player that sees only views, for the level bracket of partial worlds: ``player(world)``. None:
            the bracket begins at the random player.
        solver: Solves levels whose reachable states are too many for the audit's exact search; None: they are few.

    Raises:
        UsageError: A reward reads an event that the dynamics does not know, or a skin's words clash.
    """

    name: str
    summary: str
    dynamics: Dynamics[Any, Any]
    generator: Generator
    rewards: Mapping[str, Reward]
    observations: Mapping[str, Observation[Any, Any, Any]]
    skins: Mapping[str, Skin[Any]]
    potential: Callable[[Any, Any, Reward], float]
    player: Callable[[World], Player] | None = None
    solver: Solver | None = None
    readers: Mapping[str, ActionReader] = field(init=False, repr=False)
    _drawn: dict[tuple[Any, ...], list[Level]] = field(init=False, repr=False, default_factory=dict)

    def __post_init__(self) -> None:
        for reward in self.rewards.values():
            if unknown := reward.reads - set(self.dynamics.events):
                raise UsageError(
                    f"The reward {reward.name!r} of {self.name} reads {', '.join(sorted(unknown))}, "
                    f"but its dynamics knows only {', '.join(self.dynamics.events)}."
                )
        for kind, parts in (("reward", self.rewards), ("observation", self.observations), ("skin", self.skins)):
            for name, part in parts.items():
                if part.name != name:
                    raise UsageError(f"{self.name}: the {kind} {part.name!r} stands under the name {name!r}.")
        readers = {name: ActionReader(self.dynamics.actions, skin.vocabulary) for name, skin in self.skins.items()}
        object.__setattr__(self, "readers", readers)

    def levels(self, preset: str, split: Split, count: int | None = None, seed: int = 0) -> list[Level]:
        """A split's levels; see :meth:`.level.Generator.levels`. They follow from the arguments: drawn once, kept."""
        path = (preset, split, count, seed)
        if path not in self._drawn:
            self._drawn[path] = self.generator.levels(self.name, preset, split, count, seed)
        return list(self._drawn[path])

    def part(self, kind: str, name: str) -> Any:
        """A reward, observation or skin by its name.

        Raises:
            UsageError: There is none.
        """
        parts: Mapping[str, Any] = getattr(self, f"{kind}s")
        if name not in parts:
            raise UsageError(f"The core {self.name} has no {kind} {name!r}. There are: {', '.join(parts)}.")
        return parts[name]


def by_name(parts: Sequence[Any]) -> dict[str, Any]:
    """Parts by their names, in order.

    Raises:
        UsageError: A name stands twice.
    """
    found = {part.name: part for part in parts}
    if len(found) < len(parts):
        raise UsageError(f"Two parts have one name: {', '.join(part.name for part in parts)}.")
    return found


def skins(make: Callable[[Vocabulary], Skin[Any]], *vocabularies: Vocabulary) -> dict[str, Skin[Any]]:
    """One skin for each vocabulary, by name."""
    return by_name([make(vocabulary) for vocabulary in vocabularies])
