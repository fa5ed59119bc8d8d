"""What is to be played next: samples in their order, and the episodes and probes of streams as they become ready."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .lives import Life, Moment
from .records import Key, RunSpec
from .streams import partners

if TYPE_CHECKING:
    from .plan import Plan
    from .task import Arm, Item

__all__ = ["Schedule", "Unit"]


@dataclass(frozen=True, slots=True)
class Unit:
    """One sample that is to be played.

    Args:
        plan: The task's part of the run.
        arm: The arm.
        item: The item.
        sample: Which repeat.
        key: Names it.
        failed: How often it ended as an error before.
        moment: Where it belongs to a stream: the episode or probe that it is.
    """

    plan: Plan
    arm: Arm
    item: Item
    sample: int
    key: Key
    failed: int
    moment: Moment | None = None


class Schedule:
    """Hands out what is to be played. Nobody waits while anything is ready.

    An episode of a stream is ready once the one before it has been stored; its probes are ready with it, and nothing
    waits for them. A stream that takes something from another begins once that one has been lived. What follows from a
    finished episode goes first, so that few streams are open at a time and their prompts' beginnings stay cached.

    Args:
        spec: The run's specification.
        plans: Its tasks.
        done: What need not be played.
        failed: How often what must be was tried before.
        resume: Lets a life take up what there is of it.
        wanted: Whether a sample (not of a stream) is still to be played; asked just before it would begin.
    """

    def __init__(
        self,
        spec: RunSpec,
        plans: Sequence[Plan],
        done: set[Key],
        failed: Mapping[Key, int],
        resume: Callable[[Life], None] | None = None,
        wanted: Callable[[Key, Item], bool] | None = None,
    ) -> None:
        self._spec, self._plans, self._done, self._failed = spec, plans, done, failed
        self._resume, self._wanted = resume, wanted
        self._ready: deque[Unit] = deque()
        self._waiting: dict[Life, list[Life]] = {}
        self._rest = self._units()
        self._playing = 0
        self._changed = asyncio.Event()

    def _units(self) -> Iterator[Unit]:
        # Samples of one item stand together: they share the beginning of their prompts.
        for plan in self._plans:
            if plan.streams:
                yield from self._streams(plan)
                continue
            for arm in plan.arms:
                for item in plan.items:
                    for sample in range(self._spec.samples):
                        key = Key(plan.task.name, arm.name, item.id, sample, agent=self._spec.agent.name)
                        if key not in self._done and (self._wanted is None or self._wanted(key, item)):
                            yield Unit(plan, arm, item, sample, key, self._failed.get(key, 0))

    def _streams(self, plan: Plan) -> Iterator[Unit]:
        """The units of lives that wait for nothing; one that takes from another comes with :meth:`finished`."""
        spec, lives = self._spec, {}
        cycle = partners(plan.streams, spec.seed) if len(plan.streams) > 1 else {}
        for arm in sorted(plan.arms, key=lambda arm: bool(arm.options.get("needs"))):
            for stream in plan.streams:
                needs = arm.options.get("needs")
                source = (
                    lives.get(("evolving", cycle[stream.id] if needs == "partner" else stream.id)) if needs else None
                )
                life = Life(
                    plan,
                    arm,
                    stream,
                    seed=spec.seed,
                    agent=spec.agent.name,
                    source=source,
                    birth=plan.birth,
                    start=plan.start,
                )
                lives[arm.name, stream.id] = life
                if arm.name == "placebo" and source is not None:
                    source.keeps_states = True
                if source is not None:
                    self._waiting.setdefault(source, []).append(life)
        if self._resume is not None:
            for life in lives.values():
                self._resume(life)
        for life in lives.values():
            if life.source is None:
                yield from self._ready_now(life)
        # Sources that were lived in an earlier call never finish in this one.
        for source in [life for life in self._waiting if life.ended]:
            for life in self._waiting.pop(source):
                yield from self._ready_now(life)

    def _unit(self, moment: Moment) -> Unit | None:
        life = moment.life
        key = life.key(moment.item, moment.sample, moment.position, moment.checkpoint)
        if key in self._done:
            return None
        return Unit(life.plan, life.arm, moment.item, moment.sample, key, self._failed.get(key, 0), moment)

    def _ready_now(self, life: Life) -> Iterator[Unit]:
        """All that is ready of a life: its next episode, and probes of the checkpoints that it has come to."""
        for position in range(life.start, life.position + 1):
            yield from self._due(life, position)

    def _due(self, life: Life, position: int) -> Iterator[Unit]:
        moments = list(life.probes(position, self._spec.samples))
        if position == life.position and (episode := life.next_episode()) is not None:
            moments.insert(0, episode)
        for moment in moments:
            unit = self._unit(moment)
            if unit is not None:
                yield unit

    async def take(self) -> Unit | None:
        """The next unit, as soon as there is one; None once there will be none any more."""
        while True:
            unit = self._ready.popleft() if self._ready else next(self._rest, None)
            if unit is not None:
                self._playing += 1
                return unit
            if not self._playing:
                self._changed.set()
                return None
            self._changed.clear()
            await self._changed.wait()

    def finished(self, unit: Unit, *, lived: bool) -> None:
        """Take in that a unit has been played and stored; every unit that was taken must come here.

        Args:
            unit: What was played.
            lived: Whether it was an episode of a stream that did not end as an error: its life has advanced.
        """
        self._playing -= 1
        if lived and unit.moment is not None:
            life = unit.moment.life
            following = list(self._due(life, life.position))
            if life.ended:
                for other in self._waiting.pop(life, []):
                    following += self._ready_now(other)
            self._ready.extendleft(reversed(following))
        self._changed.set()
