"""Evaluate: where candidates play, and how a world's episode becomes a trajectory."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, ClassVar, Protocol

from ....environments.worlds.level import Level, Split, split_of
from ....environments.worlds.lookup import find_world
from ....environments.worlds.scale import find_scale, has_scale
from ....environments.worlds.world import World
from ....suite.agents.base import Action, Agent, Observation
from ....suite.broker import Broker
from ....suite.errors import UsageError
from ....suite.model import Model, TokenMeter
from ....suite.records import Limits, Outcome, Sampling, Thinking, Turn
from ....suite.seeds import derive
from ....suite.task import Arm, Episode, Item, Tier
from ...worlds.numbers import normalise, raw_failure
from ...worlds.play import Played, play
from ...worlds.players import Rehearsed
from ...worlds.prompt import PROMPTS, instructions
from .candidate import Candidate
from .code_agent import CodeAgent, refusal
from .evaluation import Evaluation, Move, Trajectory
from .follower import FOLLOWER, Follower
from .recording import cost_of, kept

__all__ = ["Arena", "PlayedEpisode", "WorldArena", "advised", "check_split", "episode_seed"]

_REWARD = re.compile(r"^Step \d+ of \d+\. Reward: (\S+)\.$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class PlayedEpisode:
    """An episode with the calls that it took.

    Attributes:
        trajectory: The episode.
        calls: As :func:`.recording.kept` keeps them.
    """

    trajectory: Trajectory
    calls: list[list[Any]]


class Arena(Protocol):
    """Where candidates of one world are evaluated.

    Attributes:
        name: The world's.
        core: Its core's: the cluster that claims about new worlds rest on.
        averaged: Whether its scores are normalised, and go into averages over worlds.
        features: Kinds of its parts, for whoever chooses a method by world.
    """

    name: str
    core: str
    averaged: bool
    features: Mapping[str, str]

    def identity(self) -> dict[str, Any]:
        """All that decides its scores, as plain data."""
        ...

    def told(self) -> str:
        """What an agent is told before the first turn, without advice."""
        ...

    def levels(self, split: Split, count: int, seed: int) -> Sequence[str]:
        """Draw levels; :meth:`play` takes their hashes."""
        ...

    async def play(self, candidate: Candidate, level: str, sample: int, *, seed: int) -> PlayedEpisode:
        """Play one episode.

        Args:
            candidate: Who plays.
            level: A hash from :meth:`levels`.
            sample: Names the luck of the episode.
            seed: Of the model's replies.
        """
        ...

    async def refusal(self, code: str, training: Evaluation) -> str:
        """Why code cannot be the component ``agent``; empty where it can.

        Args:
            code: Not empty.
            training: Recorded episodes to try it on.
        """
        ...


def check_split(levels: Sequence[Level], split: Split) -> None:
    """Make sure that levels are of the split that they are used for.

    Raises:
        UsageError: One is of another: what was learnt by it could not be told from what was known of it.
    """
    for level in levels:
        if split_of(level) != split:
            raise UsageError(
                f"The level {level.hash} of {level.core} is a {split_of(level)} level and was drawn for {split}: "
                "mend the generator, or the splits are not apart."
            )


def advised(told: str, advice: str) -> str:
    """Instructions with a candidate's advice; without any they stay as they are."""
    return f"{told}\n\nAdvice from earlier episodes on other levels:\n<advice>\n{advice}\n</advice>" if advice else told


class _Advised(Agent):
    """An agent that is given a candidate's advice with its instructions."""

    name: ClassVar[str] = ""

    def __init__(self, inner: Agent, advice: str) -> None:
        self.inner, self.advice = inner, advice

    def begin(self) -> None:
        self.inner.begin()

    async def act(self, observation: Observation, model: Model) -> Action:
        told = advised(observation.instructions, self.advice)
        return await self.inner.act(replace(observation, instructions=told), model)


class WorldArena:
    """A world of the catalogue, played as its task ``worlds/NAME`` plays it.

    Args:
        name: The world's.
        broker: Of the executor's backend; ``scripted:follower`` follows rules, any other scripted name plays that
            reference of the world, whatever the advice.
        make_agent: Makes the agent that the candidate is a part of, unless it brings its own code.
        sampling: How the executor draws tokens.
        max_tokens: Cap on a reply.

    Raises:
        UnknownName: There is no such world.
        UsageError: It has not passed its audit, so that its scores have no scale.
    """

    def __init__(
        self,
        name: str,
        broker: Broker,
        make_agent: Callable[[], Agent],
        *,
        sampling: Sampling | None = None,
        max_tokens: int = 256,
    ) -> None:
        self.world: World = find_world(name)
        if not has_scale(name):
            raise UsageError(
                f"The world {name} has not passed its audit: `finchmark worlds list` shows those that have."
            )
        self.scale = find_scale(name)
        self.name, self.core = name, self.world.core.name
        self.averaged = self.scale.averaged
        self.features: Mapping[str, str] = self.world.factors
        self.broker, self.make_agent = broker, make_agent
        self.sampling = sampling or Sampling()
        self.max_tokens = max_tokens
        self._levels: dict[str, Level] = {}

    def identity(self) -> dict[str, Any]:
        """World, version, prompts and the two ends of the scale."""
        return {
            "world": self.name,
            "version": self.world.version,
            "prompts": PROMPTS,
            "random": self.scale.random,
            "reference": self.scale.reference,
            "averaged": self.averaged,
        }

    def told(self) -> str:
        """As the task tells it."""
        return instructions(self.world)

    def levels(self, split: Split, count: int, seed: int) -> Sequence[str]:
        """Draw levels of a split; they are all different, and in no other split."""
        found = _drawn(self.name, split, count, seed)
        check_split(found, split)
        self._levels.update({level.hash: level for level in found})
        return [level.hash for level in found]

    async def play(self, candidate: Candidate, level: str, sample: int, *, seed: int) -> PlayedEpisode:
        """Play one episode by the task's own rules."""
        drawn = self._levels[level]
        session = f"methods/{self.name}/{candidate.id}/{level}/{sample}/player"
        model = Model(
            self.broker,
            session=session,
            seed=seed,
            seat="player",
            sampling=self.sampling,
            thinking=Thinking(),
            max_tokens=self.max_tokens,
            meter=TokenMeter(Limits()),
        )
        backend = self.broker.backend
        if backend.reference is not None:
            policy = (
                Follower(self.world)
                if backend.reference == FOLLOWER
                else Rehearsed(self.world, drawn, backend.reference)
            )
            backend.bind(session, policy)
        code = candidate.value("agent")
        agent = _Advised(CodeAgent(code) if code else self.make_agent(), candidate.value("prompt"))
        agent.begin()
        episode = Episode(
            item=Item(level, {"level": level}),
            arm=Arm("methods", ""),
            tier=Tier("methods", 1, self.world.horizon, self.max_tokens),
            agents={"player": agent},
            models={"player": model},
            seed_path=("methods", seed),
            sample=sample,
        )
        try:
            played = await play(episode, self.world, drawn)
        finally:
            backend.release(session)
        return self._told(played, episode.finish(), level, sample)

    async def refusal(self, code: str, training: Evaluation) -> str:
        """Try code in the sandbox on recorded turns of this world."""
        return await refusal(code, self.told(), training.trajectories)

    def _told(self, played: Played, turns: Sequence[Turn], level: str, sample: int) -> PlayedEpisode:
        failed = played.outcome is not Outcome.OK
        reward = min(raw_failure(self.scale), played.moment.total) if failed else played.moment.total
        shown = [*(turn.observation for turn in turns[1:]), turns[-1].after if turns else ""]
        moves = tuple(
            Move(turn.observation, turn.action, turn.usable, _earned(after))
            for turn, after in zip(turns, shown, strict=False)
        )
        calls = kept(call for turn in turns for call in turn.calls)
        trajectory = Trajectory(
            level=level,
            sample=sample,
            score=normalise(self.scale, reward) if self.averaged else reward,
            reward=reward,
            outcome=str(played.outcome),
            reason=played.reason,
            cost=cost_of(calls),
            moves=moves,
            after=shown[-1] if turns else "",
        )
        return PlayedEpisode(trajectory, calls)


@lru_cache(maxsize=1_024)
def _drawn(name: str, split: Split, count: int, seed: int) -> list[Level]:
    """Levels, drawn once: all methods of an iteration play the same ones, and drawing may take a search."""
    return find_world(name).levels(split, count, seed)


def _earned(shown: str) -> float | None:
    """What the head line says that the last action earned."""
    found = _REWARD.search(shown)
    try:
        return None if found is None else float(found[1])
    except ValueError:
        return None


def episode_seed(seed: int, world: str, level: str, sample: int) -> int:
    """The seed of an episode's replies: the same for every candidate, so that they are compared with equal luck."""
    return derive("methods", "episode", seed, world, level, sample)
