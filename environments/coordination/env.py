"""The game as a PettingZoo environment in which all act at the same time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray
from pettingzoo import ParallelEnv

from ...suite.errors import UsageError
from .rules import COLLECTIVE, SILENT, Rules, grow
from .stories import Story, find_story
from .wording import asked, came, peers_said, rules_told

__all__ = ["CoordinationEnv", "Peers", "coordination_env"]

Peers = Literal["final_only", "full", "none"]
"""What an agent is told of a round: the others' choices, their whole replies, or nothing at all, not even its own gain.
Rewards are given all the same."""


class CoordinationEnv(ParallelEnv[str, dict[str, Any], Any]):
    """Several agents choose between a collective and an independent option, round after round.

    **Observation**: ``seat``, the agent's own; ``round``, how many are over; ``capital``, of everybody, 1 at the start;
    ``choices``, of everybody in every round, -1 where there is none (yet). With ``peers="none"`` the last two say
    nothing of any round. ``infos[agent]`` has the same in words: ``instructions``, which hold for the whole game, and
    ``text``, what is new. **Action**: 0 independent, 1 collective; None where no choice could be read. **Reward**: the
    change of the own capital. **Start**: everybody has 1. **End**: after the last round. There is no luck: a seed
    changes nothing.

    Chance level (everybody tosses a coin) and ceiling depend on the rules; a capital of ``high ** rounds`` is the most
    where ``high`` is the largest factor.

    Args:
        rules: See :class:`.Rules`.
        story: A story or its name.
        peers: See :data:`Peers`.
        scripted: How many seats are played by the environment, always with the collective option.
        scripted_at: Whether these are the first seats or the last.
        collective_first: Whether the collective option is named first.
        also: What else stands in the answers that are shown as a form: whoever asks more than the choice says so here.

    Raises:
        UsageError: No seat is left for an agent, or an option does not exist.
    """

    metadata: dict[str, Any] = {"name": "finchmark_coordination_v1", "render_modes": [], "is_parallelizable": True}  # noqa: RUF012  # PettingZoo declares it as an instance attribute

    def __init__(
        self,
        rules: Rules | None = None,
        story: Story | str = "lamps",
        *,
        peers: Peers = "final_only",
        scripted: int = 0,
        scripted_at: Literal["head", "tail"] = "head",
        collective_first: bool = True,
        also: Mapping[str, Any] | None = None,
    ) -> None:
        self.rules = Rules() if rules is None else rules
        self.story = find_story(story) if isinstance(story, str) else story
        number = self.rules.agents
        if not 0 <= scripted < number:
            raise UsageError(f"Of {number} seats 0 to {number - 1} can be scripted, not {scripted}.")
        if peers not in ("final_only", "full", "none"):
            raise UsageError(f"peers is final_only, full or none, not {peers!r}.")
        if scripted_at not in ("head", "tail"):
            raise UsageError(f"scripted_at is head or tail, not {scripted_at!r}.")
        self.peers, self.collective_first = peers, collective_first
        self.also = {} if also is None else dict(also)
        names = [f"seat_{seat}" for seat in range(number)]
        own = slice(scripted, number) if scripted_at == "head" else slice(0, number - scripted)
        self._seats = dict(zip(names[own], range(number)[own], strict=True))
        self.possible_agents = list(self._seats)
        self.agents = list(self._seats)
        self.render_mode = None
        low, high = self.rules.bounds
        space = spaces.Dict(
            {
                "seat": spaces.Discrete(number),
                "round": spaces.Discrete(self.rules.rounds + 1),
                # A little slack: products of floats may pass a bound by their last digit.
                "capital": spaces.Box(low - 1e-9, high + 1e-9, (number,), np.float64),
                "choices": spaces.Box(-1, 1, (self.rules.rounds, number), np.int8),
            }
        )
        self.observation_spaces = dict.fromkeys(self.possible_agents, space)
        self.action_spaces = {agent: spaces.Discrete(2) for agent in self.possible_agents}
        self._begin()

    def _begin(self) -> None:
        self.played = 0
        self.capital = np.ones(self.rules.agents)
        self.choices = np.full((self.rules.rounds, self.rules.agents), SILENT, dtype=np.int8)
        self.successes: list[bool] = []

    def observation_space(self, agent: str) -> spaces.Space[Any]:
        """The same object at every call."""
        return self.observation_spaces[agent]

    def action_space(self, agent: str) -> spaces.Space[Any]:
        """Likewise; its generator is the agent's own."""
        return self.action_spaces[agent]

    def seat_of(self, agent: str) -> int:
        """The number of an agent's seat, from 0: its column in :attr:`choices` and :attr:`capital`."""
        return self._seats[agent]

    def reset(
        self, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, dict[str, Any]], dict[str, dict[str, Any]]]:
        """Start anew; neither argument changes anything."""
        self._begin()
        self.agents = list(self.possible_agents)
        question = self._asked()
        return self._look(), {agent: self._info(agent, question) for agent in self.agents}

    def step(
        self, actions: Mapping[str, Any], *, replies: Mapping[str, str] | None = None
    ) -> tuple[dict, dict[str, float], dict[str, bool], dict[str, bool], dict[str, dict[str, Any]]]:
        """Play a round.

        Args:
            actions: One of every agent; None where it made no choice.
            replies: What agents said, for others to see where ``peers`` is ``full``; where one is missing its choice is
                shown.

        Raises:
            UsageError: The game is over, an agent's action is missing, or it is none.
        """
        if not self.agents:
            raise UsageError("The game is over. Call reset() to play again.")
        if set(actions) != set(self.agents):
            raise UsageError(f"Every agent acts in every round: {', '.join(self.agents)}; not {', '.join(actions)}.")
        row = np.full(self.rules.agents, COLLECTIVE, dtype=np.int8)
        said: list[str | None] = [None] * self.rules.agents
        for agent, action in actions.items():
            if action is not None and not self.action_spaces[agent].contains(action):
                raise UsageError(f"{action!r} is no action of {agent}: 0 independent, 1 collective, None no choice.")
            row[self._seats[agent]] = SILENT if action is None else int(action)
            said[self._seats[agent]] = None if replies is None else replies.get(agent)
        before, number = self.capital, self.played
        self.capital, success = grow(self.rules, before, row)
        self.choices[number] = row
        self.successes.append(bool(success))
        self.played += 1
        over = self.played == self.rules.rounds
        acted = self.agents
        infos = {}
        for agent in acted:
            parts = [self._told(self._seats[agent], row, before, number, said)]
            if not over:
                parts.append(self._asked())
            infos[agent] = self._info(agent, "\n\n".join(parts))
        views = self._look()
        if over:
            self.agents = []
        gains = {agent: float(self.capital[self._seats[agent]] - before[self._seats[agent]]) for agent in acted}
        return views, gains, dict.fromkeys(acted, over), dict.fromkeys(acted, False), infos

    def render(self) -> None:
        """Nothing: ``infos`` has the words."""

    def close(self) -> None:
        """Nothing to close."""

    def _asked(self) -> str:
        return asked(self.rules, self.story, self.played, collective_first=self.collective_first, also=self.also)

    def _told(
        self, seat: int, row: NDArray[np.int8], before: NDArray[np.float64], number: int, said: list[str | None]
    ) -> str:
        if self.peers == "none":
            return f"Round {number + 1} is over."
        choices = [int(choice) for choice in row]
        gain = came(self.rules, self.story, choices, seat, float(before[seat]), float(self.capital[seat]), number)
        return f"{gain}\n{peers_said(self.story, choices, seat, said if self.peers == 'full' else None)}"

    def _info(self, agent: str, text: str) -> dict[str, Any]:
        seat = self._seats[agent]
        rules = rules_told(self.rules, self.story, seat, collective_first=self.collective_first, also=self.also)
        return {"text": text, "instructions": rules}

    def _look(self) -> dict[str, dict[str, Any]]:
        blind = self.peers == "none"
        views = {}
        for agent in self.agents:
            views[agent] = {
                "seat": self._seats[agent],
                "round": self.played,
                "capital": np.ones(self.rules.agents) if blind else self.capital.copy(),
                "choices": np.full_like(self.choices, SILENT) if blind else self.choices.copy(),
            }
        return views


def coordination_env(**options: Any) -> ParallelEnv[str, Any, Any]:
    """The environment, as PettingZoo's users expect such a function.

    Args:
        options: Those of :class:`CoordinationEnv`; the fields of :class:`.Rules` may stand among them.
    """
    fields = {name: options.pop(name) for name in list(options) if name in Rules.__dataclass_fields__}
    if fields and "rules" in options:
        raise UsageError(f"Give rules, or {', '.join(fields)}, not both.")
    return CoordinationEnv(Rules(**fields) if fields else options.pop("rules", None), **options)
