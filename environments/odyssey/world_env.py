"""What the environments after OdysseyArena share: arguments, the drawing of a world, begin and end of an episode."""

from __future__ import annotations

import abc
from collections.abc import Mapping
from typing import Any, ClassVar, Generic, Protocol, TypeVar

import gymnasium

from ...suite.errors import UsageError
from .quotes import quote

__all__ = ["OdysseyEnv"]


class _World(Protocol):
    @property
    def config(self) -> dict[str, Any]: ...


_Rules = TypeVar("_Rules")
_Drawn = TypeVar("_Drawn", bound=_World)
_Difficulty = TypeVar("_Difficulty")


class OdysseyEnv(gymnasium.Env[str, str], abc.ABC, Generic[_Rules, _Drawn, _Difficulty]):
    """A text world of one config, or of a difficulty from which each reset draws another.

    A subclass names its world and its errors' words, reads configs, draws worlds, and says what an action does. It sets
    its spaces after calling this constructor.

    Args:
        config: One world; :meth:`read_config` has the format.
        difficulty: Instead of a config, a preset's name or a difficulty; by default ``lite``.
        reference_rules: Whether to answer as the reference does.
        max_steps: The steps of an episode; None: the world's own.

    Attributes:
        rules: The world's rules; None before the first reset with a difficulty.
        world: What was drawn with a difficulty; None before the first reset, and with a config.
        max_steps: The steps of an episode.
        reference_rules: As given.

    Raises:
        UsageError: Config and difficulty were both given, one of them is wrong, or ``max_steps`` is no number of steps.
    """

    metadata: dict[str, Any] = {"render_modes": []}  # noqa: RUF012  # Gymnasium declares it as an instance attribute
    family: ClassVar[str]
    """The world's name, in small letters."""
    action_words: ClassVar[str]
    """What an action is, for who gives something else: ``A lights action is text such as '3'``."""

    def __init__(
        self,
        config: Mapping[str, Any] | None = None,
        *,
        difficulty: str | _Difficulty | None = None,
        reference_rules: bool = False,
        max_steps: int | None = None,
    ) -> None:
        if config is not None and difficulty is not None:
            raise UsageError(
                f"{self.family.capitalize()}Env takes a config or a difficulty, not both: a config is one world "
                "already."
            )
        self.rules: _Rules | None = None
        self.world: _Drawn | None = None
        self.difficulty: _Difficulty | None = None
        if config is None:
            self.difficulty = self.named_difficulty("lite" if difficulty is None else difficulty)
        else:
            self.rules = self.read_config(config)
        self.reference_rules = reference_rules
        self.max_steps = self.default_steps() if max_steps is None else max_steps
        if not isinstance(self.max_steps, int) or isinstance(self.max_steps, bool) or self.max_steps < 1:
            raise UsageError(f"max_steps is a whole number of steps, 1 or more, not {quote(repr(max_steps))}.")
        self.turns = 0
        self._running = False

    @abc.abstractmethod
    def read_config(self, config: Mapping[str, Any]) -> _Rules:
        """The rules of a config."""

    @abc.abstractmethod
    def named_difficulty(self, difficulty: str | _Difficulty) -> _Difficulty:
        """The preset of a name; a difficulty is handed through."""

    @abc.abstractmethod
    def draw(self, difficulty: _Difficulty, *path: str | int) -> _Drawn:
        """Draw a world."""

    @abc.abstractmethod
    def default_steps(self) -> int:
        """The steps of an episode where none were given; ``rules`` or ``difficulty`` is set."""

    @abc.abstractmethod
    def begin(self) -> tuple[str, dict[str, Any]]:
        """Go to the start of an episode, with the rules as they are now; the observation and the info."""

    @abc.abstractmethod
    def act(self, action: str) -> tuple[str, float, bool, dict[str, Any]]:
        """Do what an action does; observation, reward, whether the episode has come to its end, info."""

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[str, dict[str, Any]]:
        """Go back to the start; with a difficulty, in a new world.

        Args:
            seed: Which world to draw; without one the environment's own generator decides. Without effect with a
                config.
            options: There are none.

        Returns:
            The observation and the info.

        Raises:
            UsageError: An option was given.
        """
        super().reset(seed=seed)
        if options:
            name = self.family.capitalize()
            raise UsageError(f"{name} has no reset options, but {quote(', '.join(map(str, options)))} came.")
        if self.difficulty is not None:
            path = (seed,) if seed is not None else ("reset", int(self.np_random.integers(2**63)))
            self.world = self.draw(self.difficulty, *path)
            self.rules = self.read_config(self.world.config)
        self.turns = 0
        self._running = True
        return self.begin()

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        """Take an action.

        Args:
            action: Any text; the environment's own page says which can be used.

        Returns:
            Observation, reward, terminated, truncated, info.

        Raises:
            UsageError: The action is no string, or the episode has not begun or is over.
        """
        if not isinstance(action, str):
            raise UsageError(f"{self.action_words}, not {type(action).__name__} {quote(repr(action))}.")
        if not self._running:
            raise UsageError(f"This {self.family} episode is over or has not begun: call reset() before step().")
        self.turns += 1
        observation, reward, terminated, info = self.act(action)
        truncated = not terminated and self.turns >= self.max_steps
        self._running = not (terminated or truncated)
        return observation, reward, terminated, truncated, info
