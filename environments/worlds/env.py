"""A world as a Gymnasium environment."""

from __future__ import annotations

import string
from typing import TYPE_CHECKING, Any

import gymnasium
from gymnasium.spaces import Text

from ...suite.errors import UsageError
from ..odyssey.quotes import quote
from .level import Level, Split
from .lookup import find_world
from .world import Moment, World, episode_key

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["LONGEST_TEXT", "WorldEnv", "characters"]

LONGEST_TEXT = 4_000
"""No observation is longer; the audit holds every world to that."""

_ASCII = frozenset(string.ascii_letters + string.digits + string.punctuation + " \n")


def characters(world: World) -> frozenset[str]:
    """All characters that a world's texts are made of: printable ASCII, its words', and its skin's glyphs."""
    vocabulary = world.skin.vocabulary
    return _ASCII.union(*vocabulary.words.values(), world.skin.glyphs)


class WorldEnv(gymnasium.Env[str, str]):
    """A generated world: an agent acts by text, and finds out by trying what pays and how.

    ## Description

    One of many worlds, each of dynamics, a reward, an observation and a skin; ``finchmark worlds list`` shows them, and
    ``env.unwrapped.world.instructions()`` is what an agent is told before the first step.

    ## Action Space

    Text: an action's word and its values, such as ``move north``; :class:`.parsing.ActionReader` says what else can be
    read. ``step`` takes any string at all. An unusable one changes nothing, pays nothing and uses up a step, and the
    observation says what was wrong. ``action_space`` is ``Text``; hardly any of its samples is usable.
    ``env.unwrapped.sample_action(key)`` draws usable ones.

    ## Observation Space

    ``Text``: the step, the last reward, and what the observation lets through, in the skin's words; after an unusable
    action a line on what was wrong. ``info`` has ``usable``; ``problem``, that line or None; ``level``, the level's
    hash; and ``split``. The true state is not among them: oracles find it in ``env.unwrapped.moment``.

    ## Rewards

    What the world's reward pays; ``binary`` worlds sum to 0 or 1 over an episode.

    ## Starting State

    ``reset(seed=s)`` draws a level of the split, and the chance of the episode, from s; ``reset()`` from the
    environment's own generator. ``reset(options={"level": i})`` takes the split's level number i,
    ``{"sample": n}`` the chance number n: level and sample together fix everything.

    ## Episode End

    Terminated when the world or its reward says so; truncated after the world's horizon. A step after either raises
    ``UsageError``.

    ## Arguments

    ``gymnasium.make("finchmark-worlds/NAME-v1", **arguments)`` after ``import finchmark.environments.worlds``, or
    ``gymnasium.make("finchmark.environments.worlds:finchmark-worlds/NAME-v1")``. For vectors:
    ``gymnasium.make_vec(id, n, vectorization_mode="async", vector_kwargs={"shared_memory": False})``; with shared
    memory Gymnasium's asynchronous vectors hand back empty texts.

    - ``world``: a name of the catalogue (what the id fills in), or a ``World``.
    - ``split``: ``train`` (the default), ``validation`` or ``test``.
    - ``levels``: how many levels the split has here; None: 100, 5 and 10.
    - ``level``: a ``Level`` to play instead of a split.
    - ``render_mode``: ``ansi``, the picture as text; ``rgb_array``, as an image, shape (height, width, 3).

    ## Chance Level and Ceiling

    Each world's are in its scale (``finchmark worlds show NAME``): the random player's mean, the reference's, and which
    reference that is.

    ## Version History

    - v1: first version.
    """

    metadata: dict[str, Any] = {"render_modes": ["ansi", "rgb_array"], "render_fps": 4}  # noqa: RUF012  # Gymnasium declares it as an instance attribute

    def __init__(
        self,
        world: str | World,
        *,
        split: Split = "train",
        levels: int | None = None,
        level: Level | None = None,
        render_mode: str | None = None,
    ) -> None:
        self.world = find_world(world) if isinstance(world, str) else world
        if render_mode is not None and render_mode not in self.metadata["render_modes"]:
            raise UsageError(f"There is no render_mode {render_mode!r}. There are: ansi, rgb_array, None.")
        self.render_mode = render_mode
        self.split: Split = split
        self._levels = self.world.levels(split, levels) if level is None else [level]
        if not self._levels:
            raise UsageError(f"levels is the number of levels, 1 or more, not {levels!r}.")
        self._params: dict[int, Any] = {}
        self._at = 0
        self.moment: Moment | None = None
        charset = characters(self.world)
        self.action_space = Text(200, charset=charset)
        self.observation_space = Text(LONGEST_TEXT, charset=charset)

    def __deepcopy__(self, memo: dict[int, Any]) -> WorldEnv:
        # Everything but Gymnasium's generator is immutable or rebuilt, and worlds hold classes that need no copy.
        from copy import copy, deepcopy

        twin = copy(self)
        twin._params = dict(self._params)
        twin._np_random = deepcopy(self._np_random, memo)
        return twin

    @property
    def level(self) -> Level:
        """The level that is played."""
        return self._levels[self._at]

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[str, dict[str, Any]]:
        """Begin an episode.

        Args:
            seed: Draws level and chance; without one the environment's own generator does.
            options: ``level``: the number of a level of the split; ``sample``: a number for the episode's chance.

        Returns:
            The observation and the info.

        Raises:
            UsageError: An option is unknown or out of its range.
        """
        super().reset(seed=seed)
        given = dict(options or {})
        at = given.pop("level", None)
        sample = given.pop("sample", None)
        if given:
            raise UsageError(f"Options of reset are level and sample, not {quote(', '.join(map(str, given)))}.")
        if at is None:
            at = int(self.np_random.integers(len(self._levels))) if len(self._levels) > 1 else 0
        if sample is None:
            sample = int(self.np_random.integers(2**63))
        if type(at) is not int or not 0 <= at < len(self._levels):
            raise UsageError(f"The option level is a number from 0 to {len(self._levels) - 1}, not {quote(repr(at))}.")
        if type(sample) is not int or sample < 0:
            raise UsageError(f"The option sample is a number from 0 on, not {quote(repr(sample))}.")
        if at not in self._params:
            self._params[at] = self.world.load(self._levels[at])
        self._at = at
        self.moment = self.world.begin(self._params[at], episode_key(self._levels[at], sample))
        return self.world.show(self.moment), self._info(None)

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        """Act by text.

        Args:
            action: Any text; usable if it reads as one of the world's actions.

        Returns:
            Observation, reward, terminated, truncated, info.

        Raises:
            UsageError: The action is no string, or the episode has not begun or is over.
        """
        if not isinstance(action, str):
            raise UsageError(f"An action here is text, not {type(action).__name__} {quote(repr(action))}.")
        if self.moment is None:
            raise UsageError("This episode has not begun: call reset() before step().")
        self.moment = moment = self.world.act(self.moment, action)
        shown = self.world.show(moment)
        return shown, moment.reward, moment.terminated, moment.truncated, self._info(moment.problem)

    def _info(self, problem: str | None) -> dict[str, Any]:
        level = self._levels[self._at]
        return {"usable": problem is None, "problem": problem, "level": level.hash, "split": self.split}

    def sample_action(self, number: int) -> str:
        """A usable action as the random player draws it: the same text for the same number."""
        from .keys import Key

        return self.world.reader.show(self.world.dynamics.actions.sample(Key(0).at(number)))

    def render(self) -> str | NDArray[np.uint8] | None:  # type: ignore[override]  # Gymnasium's RenderFrame is a free type
        """The picture of the moment: text, an image, or None without a render mode or an episode."""
        if self.render_mode is None or self.moment is None:
            return None
        picture = self.world.skin.picture(self.world.view(self.moment))
        if self.render_mode == "ansi":
            return picture
        from .picture import draw

        return draw(picture, self.world.skin.colours())
