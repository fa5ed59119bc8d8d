"""Levels that are hard and can be solved: a search for the regret of one player against a better one.

The regret of a level is what the antagonist earns there minus what the protagonist earns (PAIRED: Dennis et al. 2020,
NeurIPS, section 4). A level that nobody can win has none, so the search is drawn to levels that are hard but not
impossible. Levels are found as in ACCEL (Parker-Holder et al. 2022, ICML, algorithm 1), without its training: random
levels fill a buffer, and edits of those with the most regret replace those with the least. Only levels of the buffer
count, as in robust prioritised level replay (Jiang et al. 2021, NeurIPS, section 4).

What a search says of its own finds is too high: it has kept those that looked high (validity, section 5). Measure them
again by :func:`measure` with episodes and a protagonist that the search never saw.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ....suite.errors import UsageError
from ....suite.seeds import generator
from ..actions import Action
from ..agents import act_ahead, act_randomly, play_out
from ..keys import Key
from ..level import Level, Split, split_of
from ..spec.compile import SpecGenerator
from ..spec.expressions import Frame
from ..world import Moment, World, episode_key

if TYPE_CHECKING:
    import numpy as np

__all__ = [
    "FRESH",
    "Found",
    "Player",
    "edit",
    "looking_ahead",
    "measure",
    "optimal",
    "random_levels",
    "search",
    "slipping",
]

Player = Callable[[World, Moment, Key], Action]
"""Chooses an action, knowing the moment; all that is random comes from the key."""

FRESH = 1_000_000
"""The first sample of the episodes that levels are measured on; a search uses samples below it."""


@dataclass(frozen=True, slots=True)
class Found:
    """A level with what was measured of it.

    Attributes:
        level: The level.
        regret: Mean over episodes of antagonist minus protagonist, both with the same luck.
        antagonist: The antagonist's mean return.
        protagonist: The protagonist's.
        episodes: How many.
    """

    level: Level
    regret: float
    antagonist: float
    protagonist: float
    episodes: int


def looking_ahead(depth: int) -> Player:
    """The player that looks some steps ahead and then goes by the core's potential; 1 is the greedy one."""
    return lambda world, moment, key: act_ahead(world, moment, key, depth)


def slipping(player: Player, share: float) -> Player:
    """A player whose hand slips: with this probability it takes a random action instead."""
    if not 0 <= share <= 1:
        raise UsageError(f"share is a probability, not {share!r}.")

    def act(world: World, moment: Moment, key: Key) -> Action:
        # A key below the player's own: what it draws for ties is not what decides whether it slips.
        if key.at(1).uniform() < share:
            return act_randomly(world, moment, key.at(2))
        return player(world, moment, key)

    return act


def optimal(world: World, level: Level) -> Player:
    """The best player of a level, by backward induction over all its states: the antagonist that regret is defined by.

    Raises:
        UsageError: The level has too many states to list.
    """
    import numpy as np

    from ..audit.graph import explore

    params = world.load(level)
    graph = explore(world.dynamics, params, world.horizon)
    if graph is None:
        raise UsageError(
            f"The level {level.hash} of {world.name} has too many states to list: hand over an antagonist."
        )
    values = graph.optimum(world.reward, world.horizon)

    def act(world: World, moment: Moment, key: Key) -> Action:
        worth = graph.backup_at(world.reward, values[world.horizon - moment.time - 1], graph.number[moment.state])
        return world.dynamics.actions.all[int(np.argmax(worth))]

    return act


def measure(
    world: World,
    level: Level,
    protagonist: Player,
    *,
    antagonist: Callable[[World, Level], Player] = optimal,
    episodes: int = 8,
    first: int = FRESH,
) -> Found:
    """Measure a level's regret.

    Args:
        world: Played.
        level: Of the world's core.
        protagonist: Whose regret it is.
        antagonist: Makes the better player for a level; by default the optimum.
        episodes: Played by both, with the same luck in pairs; at least 1.
        first: The first sample.
    """
    import numpy as np

    if episodes < 1:
        raise UsageError(f"episodes is {episodes}: at least 1.")
    params, best = world.load(level), antagonist(world, level)
    keys = [episode_key(level, first + n) for n in range(episodes)]
    earned = [[play_out(world, params, key, player).total for key in keys] for player in (best, protagonist)]
    a, p = float(np.mean(earned[0])), float(np.mean(earned[1]))
    return Found(level, a - p, a, p, episodes)


def _draw(world: World, rng: np.random.Generator, split: Split) -> Level:
    generator_, preset = world.core.generator, world.preset
    settings = generator_.preset(preset).settings
    for _ in range(generator_.attempts):
        params = generator_.draw(settings, rng)
        if params is None:
            continue
        level = Level(world.core.name, generator_.version, preset, params, ("worlds", "regret"))
        if split_of(level) == split and generator_.keep(settings, params):
            return level
    raise UsageError(f"No {split} level of {world.name} after {generator_.attempts} draws.")


def random_levels(world: World, count: int, seed: int, split: Split = "train") -> list[Level]:
    """Levels as the world's generator draws them, all different: what a search must beat."""
    rng = generator("worlds", "regret", "random", world.name, seed)
    found: dict[str, Level] = {}
    for _ in range(50 * count):
        level = _draw(world, rng, split)
        found.setdefault(level.hash, level)
        if len(found) == count:
            return list(found.values())
    raise UsageError(f"{world.name} has fewer than {count} different {split} levels.")


def edit(world: World, level: Level, rng: np.random.Generator) -> dict[str, Any] | None:
    """Change one parameter of a level to another of its values.

    Returns:
        The parameters of a level that the generator might have drawn; None where the edit is of no use, or the core is
        none of a specification: no other core says what a valid change is, and the search draws anew.
    """
    made = world.core.generator
    if not isinstance(made, SpecGenerator):
        return None
    settings = made.preset(world.preset).settings
    values = made.values_of(settings)
    names = [name for name, options in values.items() if len(options) > 1]
    name = names[int(rng.integers(len(names)))]
    others = [value for value in values[name] if value != level.params[name]]
    params = {**level.params, name: others[int(rng.integers(len(others)))]}
    return params if made.fits(Frame((), params)) and made.keep(settings, params) else None


def search(
    world: World,
    protagonist: Player,
    *,
    seed: int,
    keep: int = 10,
    budget: int = 80,
    episodes: int = 2,
    explore: float = 0.3,
    antagonist: Callable[[World, Level], Player] = optimal,
) -> list[Found]:
    """Seek levels of much regret.

    A quarter of the budget goes to random levels; after it each is an edit of a level of the buffer (drawn with weights
    1, 1/2, 1/3 … by rank) or, with the chance ``explore``, another random one.

    Args:
        world: Whose levels; they are of its split ``train``, so that none is a scored one.
        protagonist: The player whose weak points are sought.
        seed: Another seed, another search.
        keep: Size of the buffer, and most levels that come back.
        budget: Levels that are measured.
        episodes: Played for each.
        explore: Chance of a random level instead of an edit, in [0, 1].
        antagonist: As for :func:`measure`.

    Returns:
        The buffer, most regret first. The regret is the search's own: too high; see :func:`measure`.

    Raises:
        UsageError: A number is out of its range, or the world has too few levels.
    """
    if not (0 < keep <= budget and episodes > 0 and 0 <= explore <= 1):
        raise UsageError("A search needs 0 < keep <= budget, episodes > 0 and explore in [0, 1].")
    rng = generator("worlds", "regret", "search", world.name, seed)
    made, buffer, seen = world.core.generator, list[Found](), set[str]()
    for _ in range(50 * budget):
        if len(seen) == budget:
            break
        params = None
        if len(buffer) == keep and len(seen) >= budget // 4 and rng.random() >= explore:
            weights = [1 / (rank + 1) for rank in range(len(buffer))]
            at = int(rng.choice(len(buffer), p=[w / sum(weights) for w in weights]))
            params = edit(world, buffer[at].level, rng)
            if params is None and isinstance(made, SpecGenerator):
                continue
        if params is None:
            level = _draw(world, rng, "train")
        else:
            level = Level(world.core.name, made.version, world.preset, params, ("worlds", "regret", "edit"))
        if level.hash in seen or split_of(level) != "train":
            continue
        seen.add(level.hash)
        found = measure(world, level, protagonist, antagonist=antagonist, episodes=episodes, first=0)
        buffer = sorted([*buffer, found], key=lambda f: (-f.regret, f.level.hash))[:keep]
    return buffer
