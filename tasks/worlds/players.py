"""References: policies that play a world in the place of a model, knowing the level and its luck."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from ...environments.worlds.actions import Action
from ...environments.worlds.agents import act_ahead, act_randomly
from ...environments.worlds.keys import Key
from ...environments.worlds.level import Level
from ...environments.worlds.world import Moment, World, episode_key
from ...suite.backends.base import GenerateRequest
from ...suite.errors import UnknownName

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ...environments.worlds.audit.graph import StateGraph

__all__ = ["Rehearsed", "references", "rehearse"]

_Act = Callable[[World, Moment, Key], Action]


def references(world: World) -> tuple[str, ...]:
    """The references of a world, weakest first.

    ``random``; ``greedy`` and ``lookahead`` (1 and 3 steps ahead, then by the core's potential), which know the true
    state; ``player``, where the core has one, which sees what an agent sees; ``oracle``, the best policy known, which
    knows the true state and so in a partial world has hindsight.
    """
    return ("random", "greedy", "lookahead", *(("player",) if world.core.player is not None else ()), "oracle")


class Rehearsed:
    """A policy that plays the whole episode for itself first, and then says its actions one after the other.

    Level and sample name an episode's luck, so that it meets the same world as the one that is scored, and nothing of
    the true state needs to stand in a prompt.

    Args:
        world: The world.
        level: The level.
        name: One of :func:`references`.
    """

    def __init__(self, world: World, level: Level, name: str) -> None:
        if name not in references(world):
            raise UnknownName("reference", name, references(world))
        self.world, self.level, self.name = world, level, name
        self._texts: list[str] | None = None
        self._next = 0

    def reply(self, request: GenerateRequest) -> str:
        """The next action. The session says which sample is played: ``…/item/sample/seat``."""
        if self._texts is None:
            sample = int(request.session.split("/")[-2])
            self._texts = rehearse(self.world, self.level, self.name, sample, Key.of("worlds", "player", request.seed))
        self._next += 1
        return f"<action>{self._texts[self._next - 1]}</action>"


def rehearse(world: World, level: Level, name: str, sample: int, key: Key) -> list[str]:
    """Play an episode by a reference.

    Args:
        world: The world.
        level: The level.
        name: One of :func:`references`.
        sample: Names the episode's luck.
        key: For draws of the player's own.

    Returns:
        Its actions as texts.
    """
    params = world.load(level)
    act = _policy(world, level, params, name)
    moment = world.begin(params, episode_key(level, sample))
    texts = list[str]()
    while not moment.over:
        action = act(world, moment, key.at(moment.time))
        texts.append(world.reader.show(action))
        moment = world.advance(moment, action)
    return texts


def _policy(world: World, level: Level, params: Any, name: str) -> _Act:
    if name == "random":
        return act_randomly
    if name == "greedy":
        return act_ahead
    if name == "player":
        assert world.core.player is not None
        player = world.core.player(world)
        return lambda w, m, k: player.act(w.view(m), m.reward, k)
    loaded = _Loaded(level.hash, params)
    graph = _explored(world, loaded)
    if graph is not None:
        return _oracle(world, loaded, graph) if name == "oracle" else _lookahead(world, params, graph)
    if name == "oracle" and world.core.solver is not None:
        solved = world.core.solver(world, params)
        return lambda w, m, k: solved.act(m.state, m.time)
    # Without a list of states each step ahead multiplies actions by draws.
    return lambda w, m, k: act_ahead(w, m, k, 2)


@dataclass(frozen=True, slots=True)
class _Loaded:
    """A level as the dynamics took it, known by its hash: what a cache is asked by."""

    hash: str
    params: Any = field(compare=False)


@lru_cache(maxsize=2)
def _explored(world: World, level: _Loaded) -> StateGraph | None:
    """All states of a level. Episodes of one level begin one after the other: two are enough to keep."""
    from ...environments.worlds.audit.graph import explore

    return explore(world.dynamics, level.params, world.horizon)


def _oracle(world: World, level: _Loaded, graph: StateGraph) -> _Act:
    values = _optimum(world, level, graph)

    def act(world: World, moment: Moment, key: Key) -> Action:
        left = values[world.horizon - moment.time - 1]
        worth = graph.backup_at(world.reward, left, graph.number[moment.state])
        return world.dynamics.actions.all[int(worth.argmax())]

    return act


@lru_cache(maxsize=2)
def _optimum(world: World, level: _Loaded, graph: StateGraph) -> NDArray[np.float64]:
    return graph.optimum(world.reward, world.horizon)


def _lookahead(world: World, params: Any, graph: StateGraph) -> _Act:
    """As the audit's look-ahead player: ties are broken uniformly."""
    import numpy as np

    from ...environments.worlds.audit.graph import ahead
    from ...environments.worlds.audit.subject import DEPTH

    promise = np.array([world.core.potential(params, state, world.reward) for state in graph.states])
    worth = ahead(graph, world.reward, promise, DEPTH)

    def act(world: World, moment: Moment, key: Key) -> Action:
        row = worth[graph.number[moment.state]]
        best = np.flatnonzero(row >= row.max() - 1e-12)
        return world.dynamics.actions.all[int(best[key.integer(len(best), 1)])]

    return act
