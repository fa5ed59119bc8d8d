"""Players that need no model: random, greedy, look-ahead. They know the true state; the audit's ladder has them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .actions import Action
from .keys import Key
from .world import Moment, World

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["SOONER", "act_ahead", "act_randomly", "play_out", "play_views"]

_DRAWS = 4

SOONER = 1 - 1e-9
"""What a step of waiting leaves of a value: of two ways to the same reward the look-ahead player takes the shorter one,
and does not put off for ever what it could have now."""


def act_randomly(world: World, moment: Moment, key: Key) -> Action:
    """The random player: a name uniformly, then each parameter uniformly."""
    return world.dynamics.actions.sample(key)


def _worth(world: World, params: Any, state: Any, action: Action, depth: int, key: Key) -> float:
    dynamics, reward = world.dynamics, world.reward
    outcomes = dynamics.outcomes(params, state, action)
    if outcomes is None:
        # Chances that cannot be listed are drawn, from the player's key and not the episode's: it cannot see ahead.
        outcomes = [(1 / _DRAWS, dynamics.step(params, state, action, key.at(n))) for n in range(_DRAWS)]
    total = 0.0
    for probability, (after, events, over) in outcomes:
        value = reward.pay(events)
        if not (over or reward.ends(events)):
            value += (
                SOONER * _best(world, params, after, depth - 1, key.at(_DRAWS))[0]
                if depth > 1
                else world.core.potential(params, after, reward)
            )
        total += probability * value
    return total


def _best(world: World, params: Any, state: Any, depth: int, key: Key) -> tuple[float, list[Action]]:
    worths = [(_worth(world, params, state, a, depth, key), a) for a in world.dynamics.actions.tried]
    top = max(worth for worth, _ in worths)
    return top, [action for worth, action in worths if worth >= top - 1e-12]


def act_ahead(world: World, moment: Moment, key: Key, depth: int = 1) -> Action:
    """Look some steps ahead, and then go by the core's potential; ties are broken uniformly.

    Args:
        world: Whose dynamics the player knows.
        moment: The player knows the true state.
        key: For ties, and for chances that cannot be listed.
        depth: Steps; 1 is the greedy player.
    """
    best = _best(world, moment.params, moment.state, depth, key)[1]
    return best[key.integer(len(best), 1)]


def play_out(world: World, params: Any, key: Key, act: Callable[[World, Moment, Key], Action]) -> Moment:
    """Play an episode by a player that knows the true state, from the start to its end."""
    moment = world.begin(params, key)
    own = Key.of("worlds", "player", key.value)
    while not moment.over:
        moment = world.advance(moment, act(world, moment, own.at(moment.time)))
    return moment


def play_views(world: World, params: Any, key: Key) -> Moment:
    """Play an episode by the core's own player, which sees views and rewards only."""
    assert world.core.player is not None
    player = world.core.player(world)
    moment = world.begin(params, key)
    own = Key.of("worlds", "player", key.value)
    while not moment.over:
        action = player.act(world.view(moment), moment.reward, own.at(moment.time))
        moment = world.advance(moment, action)
    return moment
