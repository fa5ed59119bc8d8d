"""A world: dynamics x reward x observation x skin over levels, played by pure functions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from ...suite.errors import UsageError
from .actions import Action
from .core import Core
from .dynamics import Dynamics, Event
from .keys import Key
from .level import Level, Split
from .observation import Observation
from .parsing import ActionReader
from .reward import Reward
from .skin import Skin

__all__ = ["Moment", "World", "episode_key"]


class Moment(NamedTuple):
    """Where an episode stands: immutable, and all there is to know.

    Attributes:
        params: The level as the dynamics loaded it.
        state: The true state; for scoring and searching, never for an agent.
        key: The episode's.
        time: Steps so far, unusable ones included.
        events: What happened in the last step.
        reward: What it paid.
        total: What all have paid.
        terminated: Whether the world or the reward has ended the episode.
        truncated: Whether the horizon has.
        problem: What was wrong with the last action; None if nothing was.
    """

    params: Any
    state: Any
    key: Key
    time: int = 0
    events: tuple[Event, ...] = ()
    reward: float = 0.0
    total: float = 0.0
    terminated: bool = False
    truncated: bool = False
    problem: str | None = None

    @property
    def over(self) -> bool:
        """Whether the episode has ended."""
        return self.terminated or self.truncated


def episode_key(level: Level, sample: int = 0) -> Key:
    """The key of an episode: it names level and sample, not the world, so that variants meet the same chance."""
    return Key.of("worlds", "episode", level.core, level.hash, sample)


@dataclass(frozen=True, eq=False)
class World:
    """One combination of a core's parts, with a horizon and a preset.

    Args:
        name: Letters, digits and dashes.
        core: Where the parts come from.
        dynamics: States, actions, transitions.
        reward: What pays.
        observation: What is seen.
        skin: How it is shown.
        horizon: Steps of an episode, at least 1.
        preset: The difficulty of its levels.
        version: Raise it with any change that changes a score.

    Raises:
        UsageError: The horizon is below 1, or the preset unknown.
    """

    name: str
    core: Core
    dynamics: Dynamics[Any, Any]
    reward: Reward
    observation: Observation[Any, Any, Any]
    skin: Skin[Any]
    horizon: int
    preset: str
    version: int = 1

    def __post_init__(self) -> None:
        if self.horizon < 1:
            raise UsageError(f"The world {self.name} has a horizon of {self.horizon} steps: at least 1.")
        self.core.generator.preset(self.preset)

    @classmethod
    def combine(
        cls,
        core: Core,
        *,
        reward: str,
        observation: str,
        skin: str,
        horizon: int,
        preset: str,
        name: str | None = None,
        version: int = 1,
    ) -> World:
        """Make a world of a core's parts, each by its name.

        Raises:
            UsageError: There is no part of that name.
        """
        return cls(
            name or f"{core.name}-{reward}-{observation}-{skin}",
            core,
            core.dynamics,
            core.part("reward", reward),
            core.part("observation", observation),
            core.part("skin", skin),
            horizon,
            preset,
            version,
        )

    @property
    def reader(self) -> ActionReader:
        """Reads actions in the skin's words."""
        return self.core.readers[self.skin.name]

    @property
    def factors(self) -> dict[str, str]:
        """The kinds of its parts: what factor effects are measured over."""
        return {
            "observation": self.observation.kind,
            "reward": self.reward.kind,
            "semantics": self.skin.kind,
        }

    def levels(self, split: Split = "test", count: int | None = None, seed: int = 0) -> list[Level]:
        """Its levels; see :meth:`.level.Generator.levels`. Worlds of one core and preset have the same."""
        return self.core.levels(self.preset, split, count, seed)

    def load(self, level: Level) -> Any:
        """A level as the dynamics takes it: do it once, then :meth:`begin` as often as you like.

        Raises:
            UsageError: It is a level of another core or generator version.
        """
        version = self.core.generator.version
        if level.core != self.core.name or level.version != version:
            raise UsageError(
                f"The level {level.hash} is of {level.core} version {level.version}; "
                f"the world {self.name} plays {self.core.name} version {version}."
            )
        return self.dynamics.load(level.params)

    def begin(self, params: Any, key: Key) -> Moment:
        """The moment before the first step.

        Args:
            params: From :meth:`load`.
            key: From :func:`episode_key`; the same key, the same chance.
        """
        return Moment(params, self.dynamics.init(params, key.at(0)), key)

    def advance(self, moment: Moment, action: Action | str) -> Moment:
        """Take a step.

        Args:
            moment: Not over.
            action: An action, or a sentence that says why there is none: a step that changes nothing and pays nothing.

        Returns:
            The next moment. An action that is not of the schema becomes a problem like any other.

        Raises:
            UsageError: The episode is over.
        """
        params, state, key, time, _, _, total, terminated, truncated, _ = moment
        if terminated or truncated:
            raise UsageError(f"This episode of {self.name} is over: begin another.")
        time += 1
        problem = action if isinstance(action, str) else self.dynamics.actions.problem(action)
        if problem is not None or isinstance(action, str):
            return Moment(params, state, key, time, (), 0.0, total, False, time >= self.horizon, problem)
        return self._moved(params, state, action, key, time, total)

    def _moved(self, params: Any, state: Any, action: Action, key: Key, time: int, total: float) -> Moment:
        state, events, over = self.dynamics.step(params, state, action, key.at(time))
        reward = self.reward.pay(events) if events else 0.0
        over = over or self.reward.ends(events)
        ended = not over and time >= self.horizon
        return Moment(params, state, key, time, events, reward, total + reward, over, ended)

    def act(self, moment: Moment, text: str) -> Moment:
        """Take a step by an agent's text; see :class:`.parsing.ActionReader`."""
        action = self.reader.read(text)
        if isinstance(action, str) or moment[7] or moment[8]:
            return self.advance(moment, action)
        # What the reader gives is of the schema: it need not be checked again.
        return self._moved(moment[0], moment[1], action, moment[2], moment[3] + 1, moment[6])

    def view(self, moment: Moment) -> Any:
        """What the observation lets through of a moment."""
        return self.observation.observe(moment.params, moment.state, moment.events)

    def show(self, moment: Moment) -> str:
        """What an agent gets to read: what was wrong with its action, the time, the last reward, and the view."""
        text = self.skin.text(self.observation.observe(moment[0], moment[1], moment[4]))
        time = moment[3]
        if time == 0:
            return f"Step 0 of {self.horizon}.\n{text}"
        head = f"Step {time} of {self.horizon}. Reward: {moment[5]:.6g}.\n{text}"
        problem = moment[9]
        return head if problem is None else f"{problem} Nothing changed, but the step counts.\n{head}"

    def instructions(self) -> str:
        """What an agent is told before the first step: setting, goal, actions and how to write them."""
        return (
            f"{self.skin.setting()}\n\n"
            f"{self.skin.vocabulary.fill(self.reward.goal)} You have {self.horizon} steps. "
            "How this place works is for you to find out.\n\n"
            f"Actions:\n{self.reader.describe()}\n"
            "Write an action's word and its values, separated by spaces, and nothing else. "
            "An action that cannot be read changes nothing and uses up a step."
        )

    def play(self, level: Level, actions: Sequence[Action], sample: int = 0) -> Moment:
        """Replay actions from the start, up to the end of the episode or of the actions."""
        moment = self.begin(self.load(level), episode_key(level, sample))
        for action in actions:
            if moment.over:
                break
            moment = self.advance(moment, action)
        return moment
