"""The forum as a PettingZoo environment in which one acts after another."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray
from pettingzoo import AECEnv

from ...suite.errors import UsageError
from .acts import read_act
from .forum import Forum, Shape, Verifier
from .wording import PRACTICE_REVISE, PRACTICE_SPEAK, rules_told, turn_told

__all__ = ["ACTION_BYTES", "OBSERVATION_BYTES", "ForumEnv", "encode", "forum_env"]

OBSERVATION_BYTES = 8192
ACTION_BYTES = 1024

_TOPICS = ("the weather", "bread", "gardens", "old tools", "the market", "music in the evening")

Bytes = NDArray[np.uint8]


class ForumEnv(AECEnv[str, Any, Any]):
    """Several agents post, comment, vote, and rewrite their memories, round by round.

    **Observation**: what the agent sees, as UTF-8 bytes, padded with zeros to 8,192 and cut there, at a whole
    character; PettingZoo's checks want arrays. ``infos[agent]`` has the text itself under ``text``, what holds for the
    whole phase under ``instructions``, a turn and its answer under ``practice``, and ``phase`` (``speak``, ``revise``);
    out of turn they are empty. **Action**: a text with one JSON object (:func:`.read_act`), as a string or as padded
    UTF-8 bytes; None where there is nothing. What cannot be read, or is not open, is counted in ``forum.invalid`` and
    changes nothing. **Reward**: 1 to the author of a message for each vote. **Start**: memories as given, no message.
    **End**: after the last round. In a round the active agents speak in an order that is drawn; then, where agents
    evolve, each rewrites its memory in the same order.

    Everything is in :attr:`forum`; :meth:`save` and :meth:`load` take its state out and in, and :meth:`refresh` follows
    a change that was made from outside, such as a rollback. There is no chance level and no ceiling: votes are not what
    is measured.

    Args:
        shape: See :class:`.Shape`.
        memories: The lines of each agent's memory at the start; None: empty ones.
        topics: What is talked about.
        outside: By round, texts that come from outside.
        verifier: See :class:`.Forum`.

    Raises:
        UsageError: As for :class:`.Forum`.
    """

    metadata: dict[str, Any] = {"name": "finchmark_forum_v1", "render_modes": [], "is_parallelizable": False}  # noqa: RUF012  # PettingZoo declares it as an instance attribute

    def __init__(
        self,
        shape: Shape | None = None,
        *,
        memories: Sequence[Sequence[str]] | None = None,
        topics: Sequence[str] = _TOPICS,
        outside: Sequence[Sequence[str]] = (),
        verifier: Verifier | None = None,
    ) -> None:
        super().__init__()
        self.shape = Shape() if shape is None else shape
        start = [()] * self.shape.agents if memories is None else memories
        self._made = {"memories": start, "topics": topics, "outside": outside, "verifier": verifier}
        self.possible_agents = [f"agent_{number}" for number in range(self.shape.agents)]
        self.agents = list(self.possible_agents)
        self.render_mode = None
        seen = spaces.Box(0, 255, (OBSERVATION_BYTES,), np.uint8)
        self.observation_spaces = dict.fromkeys(self.possible_agents, seen)
        self.action_spaces = {a: spaces.Box(0, 255, (ACTION_BYTES,), np.uint8) for a in self.possible_agents}
        self._seed: int | None = None
        self.forum = Forum(self.shape, **self._made)

    def observation_space(self, agent: str) -> spaces.Space[Any]:
        """The same object at every call."""
        return self.observation_spaces[agent]

    def action_space(self, agent: str) -> spaces.Space[Any]:
        """Likewise; its generator is the agent's own."""
        return self.action_spaces[agent]

    def reset(self, seed: int | None = None, options: dict[str, Any] | None = None) -> None:
        """Start anew. Without a seed the luck is that of the last forum, 0 at first."""
        if seed is not None or self._seed is None:
            self._seed = 0 if seed is None else int(seed)
        self.forum = Forum(self.shape, **self._made, seed=self._seed)
        self.agents = list(self.possible_agents)
        self.rewards = dict.fromkeys(self.agents, 0.0)
        self._cumulative_rewards = dict.fromkeys(self.agents, 0.0)
        self.terminations = dict.fromkeys(self.agents, False)
        self.truncations = dict.fromkeys(self.agents, False)
        self.refresh()

    def observe(self, agent: str) -> Bytes:
        """What an agent sees, whoever's turn it is."""
        return encode(self._seen(agent) or "The forum is over.", OBSERVATION_BYTES)

    def step(self, action: Any) -> None:
        """Let the selected agent act; None once it is out.

        Raises:
            UsageError: The action is no text, no bytes and not None.
        """
        agent = self.agent_selection
        if self.terminations[agent] or self.truncations[agent]:
            self._was_dead_step(action)
            return
        text = _text(action)
        before = [(message, len(message.votes)) for message in self.forum.messages]
        self._cumulative_rewards[agent] = 0.0
        self._clear_rewards()
        self.came = self.forum.do(None if text is None else read_act(text))
        for message, votes in before:
            if message.author >= 0:
                self.rewards[self.possible_agents[message.author]] += len(message.votes) - votes
        self._accumulate_rewards()
        self.refresh()

    def refresh(self) -> None:
        """Take up the forum as it is now: whose turn it is, and what everybody is told."""
        over = self.forum.over
        if over:
            self.terminations = dict.fromkeys(self.agents, True)
            self.agent_selection = self.agents[0]
        else:
            self.agent_selection = self.possible_agents[self.forum.now[1]]
        nothing: dict[str, Any] = {"text": "", "instructions": "", "practice": (), "phase": ""}
        self.infos = {agent: dict(nothing) for agent in self.agents}
        if not over:
            phase, number = self.forum.now
            self.infos[self.agent_selection] = {
                "text": turn_told(self.forum, number, phase),
                "instructions": rules_told(self.forum, number, phase),
                "practice": PRACTICE_SPEAK if phase == "speak" else PRACTICE_REVISE,
                "phase": phase,
            }

    def save(self) -> dict[str, Any]:
        """The state between two turns, as plain data."""
        return {"seed": self._seed, "forum": self.forum.save()}

    def load(self, state: dict[str, Any]) -> None:
        """Take up what :meth:`save` gave, of an environment that was made alike; rewards start at 0.

        Raises:
            UsageError: The state is of a forum that is over.
        """
        if state["forum"]["round"] >= self.shape.rounds:
            raise UsageError("A forum that is over cannot go on. Save it before its last turn.")
        self.reset(seed=state["seed"])
        self.forum.load(state["forum"])
        self.refresh()

    def render(self) -> None:
        """Nothing: ``infos`` has the words."""

    def close(self) -> None:
        """Nothing to close."""

    def _seen(self, agent: str) -> str:
        if self.forum.over:
            return ""
        number = self.possible_agents.index(agent)
        phase, whose = self.forum.now
        return turn_told(self.forum, number, phase if number == whose else "speak")


def encode(text: str, size: int) -> Bytes:
    """UTF-8 bytes of a text, cut at a whole character and padded with zeros.

    Args:
        text: Any; what UTF-8 cannot write becomes "?".
        size: How many bytes there are.
    """
    data = text.encode("utf-8", "replace")[:size].decode("utf-8", "ignore").encode()
    out = np.zeros(size, dtype=np.uint8)
    out[: len(data)] = np.frombuffer(data, dtype=np.uint8)
    return out


def _text(action: Any) -> str | None:
    if action is None or isinstance(action, str):
        return action
    if isinstance(action, np.ndarray) and action.dtype == np.uint8:
        return action.tobytes().rstrip(b"\0").decode("utf-8", "replace")
    raise UsageError(f"An action is a text or its UTF-8 bytes (uint8), not {type(action).__name__}.")


def forum_env(**options: Any) -> AECEnv[str, Any, Any]:
    """The environment as PettingZoo's users expect it: calls out of order are errors.

    Args:
        options: Those of :class:`ForumEnv`; the fields of :class:`.Shape` may stand among them.

    Raises:
        UsageError: Both ``shape`` and fields of it are given.
    """
    from pettingzoo.utils import wrappers

    fields = {name: options.pop(name) for name in list(options) if name in Shape.__dataclass_fields__}
    if fields and "shape" in options:
        raise UsageError(f"Give shape, or {', '.join(fields)}, not both.")
    if fields:
        options["shape"] = Shape(**fields)
    return wrappers.OrderEnforcingWrapper(ForumEnv(**options))
