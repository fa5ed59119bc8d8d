"""A plan: one task of a run, ready to be played."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from .states import State
from .streams import Stream
from .task import Arm, Item, Task, Tier

__all__ = ["Plan"]


@dataclass(frozen=True, slots=True)
class Plan:
    """One task of a run, ready to be played.

    Args:
        task: The task.
        tier: Its tier.
        arms: The arms that are played.
        items: The items; where there are streams, those of all streams, each once.
        streams: What agents live through, empty for a task of single episodes.
        start: Episodes that count as lived before the first that is played, where a run goes on from a state.
        birth: The state that it goes on from; None: a newborn agent's.
    """

    task: Task
    tier: Tier
    arms: tuple[Arm, ...]
    items: tuple[Item, ...]
    streams: tuple[Stream, ...] = ()
    start: int = 0
    birth: State | None = None

    @property
    def decisive(self) -> tuple[Item, ...]:
        """The items that the task's numbers are of: all, or the probes on unseen levels where there are streams."""
        if not self.streams:
            return self.items
        return tuple(item for probes in self.streams[0].probes if probes.kind == "levels" for item in probes.items)

    def expected(self, samples: int) -> int:
        """How many samples it has.

        Args:
            samples: Repeats of an item; of a probe, where there are streams.
        """
        if not self.streams:
            return len(self.arms) * len(self.items) * samples
        return len(self.arms) * sum(
            len(stream.episodes) - self.start + len(self._due(stream)) * len(stream.probe_items) * samples
            for stream in self.streams
        )

    def plays(self, samples: int) -> dict[str, int]:
        """How often an arm plays each item, by the item's name.

        Args:
            samples: As for :meth:`expected`.
        """
        if not self.streams:
            return dict.fromkeys((item.id for item in self.items), samples)
        found: Counter[str] = Counter()
        for stream in self.streams:
            found.update(item.id for item in stream.episodes[self.start :])
            for item in stream.probe_items:
                found[item.id] += len(self._due(stream)) * samples
        return found

    def _due(self, stream: Stream) -> list[int]:
        return [checkpoint for checkpoint in stream.checkpoints if checkpoint >= self.start]
