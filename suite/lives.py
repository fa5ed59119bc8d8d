"""Lives: how far one agent has come in one stream, in one arm, and what it plays next."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .agents.experience import Feedback
from .records import Key, Update
from .states import State, update_id
from .streams import Stream, lived_order

if TYPE_CHECKING:
    from .plan import Plan
    from .task import Arm, Item

__all__ = ["Life", "Lived", "Moment"]


@dataclass(frozen=True, slots=True)
class Lived:
    """What is kept of an episode that was lived, for the arms that take something from it.

    Args:
        feedback: How it was judged.
        tokens: Read and written, learning included.
        turns: Of the agent.
    """

    feedback: Feedback
    tokens: int
    turns: int


@dataclass(frozen=True, slots=True)
class Moment:
    """One episode or probe of a life, ready to be played.

    Args:
        life: Whose.
        item: What is played.
        sample: Repeat of the probe; 0 for an episode.
        position: Episodes lived before.
        checkpoint: From 1 for probes, 0 for episodes.
        state: What the agent takes up; None: a newborn agent.
        path: Names its random numbers; the same in all arms, so that arms are compared in pairs.
    """

    life: Life
    item: Item
    sample: int
    position: int
    checkpoint: int
    state: State | None
    path: tuple[str | int, ...]

    @property
    def probe(self) -> bool:
        """Whether it only measures."""
        return self.checkpoint > 0

    @property
    def learns(self) -> bool:
        """Whether its agent learns from it."""
        return not self.probe and bool(self.life.arm.options.get("learns"))

    @property
    def allowance(self) -> float | None:
        """In the arm ``compute-matched``: tokens a turn, what evolving has spent by then; None: no votes but one."""
        if self.life.arm.name != "compute-matched" or not self.position or self.life.source is None:
            return None
        lived = self.life.source.lived[: self.position]
        return sum(each.tokens for each in lived) / max(1, sum(each.turns for each in lived))

    def feedback(self, own: Feedback) -> Feedback:
        """How the agent is told that its episode was judged."""
        if self.life.arm.options.get("needs") != "partner" or self.life.source is None:
            return own
        return self.life.source.lived[self.position].feedback


class Life:
    """One arm's way through one stream, as far as it has come.

    Args:
        plan: The task's part of the run.
        arm: The arm.
        stream: The stream.
        seed: The run's.
        agent: The agent's name in keys.
        source: The life of the arm ``evolving`` that this one takes something from, once it has been lived.
        birth: The state that it begins with; None: a newborn agent's.
        start: Episodes that count as lived before the first, where a life is lived on from a state.
    """

    def __init__(
        self,
        plan: Plan,
        arm: Arm,
        stream: Stream,
        *,
        seed: int,
        agent: str,
        source: Life | None = None,
        birth: State | None = None,
        start: int = 0,
    ) -> None:
        self.plan, self.arm, self.stream, self.source = plan, arm, stream, source
        self.lived: list[Lived] = []
        self.parent = ""
        self.start = self.position = start
        self._seed, self._agent = seed, agent
        self._order = lived_order(stream, arm, seed)
        self._states: dict[int, State | None] = {start: birth}
        self.keeps_states = False
        """Whether past states are kept, for an arm that takes them up; else only what is played with is."""

    @property
    def ended(self) -> bool:
        """Whether all episodes have been lived."""
        return self.position == len(self.stream.episodes)

    def key(self, item: Item, sample: int, position: int, checkpoint: int) -> Key:
        """The key of an episode or probe."""
        return Key(
            self.plan.task.name, self.arm.name, item.id, sample, self.stream.id, position, checkpoint, self._agent
        )

    def state_at(self, position: int) -> State | None:
        """The state after so many episodes; None: a newborn agent's."""
        return self._states[max(p for p in self._states if p <= position)]

    def _state_for(self, position: int) -> State | None:
        """The state that an agent takes up, which in ``placebo`` is not its own."""
        if self.arm.name != "placebo" or self.source is None:
            return self.state_at(position)
        return self.source.state_at(position)

    def take_up(self, lived: Callable[[Key, Item], Lived | None], updates: Sequence[tuple[Update, State]]) -> None:
        """Go on where an earlier call stopped.

        Args:
            lived: What is kept of an episode, None where it has not been lived.
            updates: This life's updates and their states, in order.
        """
        while not self.ended:
            item = self.episode(self.position)
            found = lived(self.key(item, 0, self.position, 0), item)
            if found is None:
                break
            self.lived.append(found)
            self.position += 1
        for update, state in updates:
            # An update is stored with the episode that caused it, or not at all.
            self._states[update.position + 1] = state
            self.parent = update.id
        if not self.keeps_states:
            # Only what is still played with: probes may be missing at checkpoints that were passed.
            due = [c for c in self.stream.checkpoints if self.start <= c < self.position]
            kept = {max(p for p in self._states if p <= position) for position in (*due, self.position)}
            self._states = {position: self._states[position] for position in kept}

    def episode(self, position: int) -> Item:
        """The item that is lived at a position."""
        return self.stream.episodes[self._order[position]]

    def next_episode(self) -> Moment | None:
        """The episode to live next, None where all have been lived."""
        if self.ended:
            return None
        task, index = self.plan.task, self._order[self.position]
        item = self.stream.episodes[index]
        path = (self._seed, task.name, task.version, "stream", self.stream.id, "episode", index, item.id)
        return Moment(self, item, 0, self.position, 0, self._state_for(self.position), path)

    def probes(self, position: int, samples: int) -> Iterator[Moment]:
        """The probes that are due after so many episodes."""
        if position not in self.stream.checkpoints:
            return
        checkpoint = self.stream.checkpoints.index(position) + 1
        task, state = self.plan.task, self._state_for(position)
        for item in self.stream.probe_items:
            for sample in range(samples):
                path = (self._seed, task.name, task.version, "stream", self.stream.id, "probe", checkpoint)
                yield Moment(self, item, sample, position, checkpoint, state, (*path, item.id, sample))

    def update(self, moment: Moment, state: State, change: str) -> Update:
        """Describe a change of the state."""
        task = self.plan.task.name
        where = (task, self.arm.name, self.stream.id, moment.position, self.parent)
        return Update(
            id=update_id(*where, state, change),
            task=task,
            arm=self.arm.name,
            stream=self.stream.id,
            position=moment.position,
            parent=self.parent,
            state=state.hash,
            size=state.size,
            change=change,
        )

    def advance(self, lived: Lived, update: Update | None, state: State | None) -> None:
        """Take in that the next episode has been lived and stored.

        Args:
            lived: What is kept of it.
            update: What it changed, None for nothing.
            state: The state after it, where it changed.
        """
        self.lived.append(lived)
        self.position += 1
        if update is not None:
            if not self.keeps_states:
                self._states.clear()
            self._states[self.position] = state
            self.parent = update.id
