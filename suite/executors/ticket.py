"""Tickets: what travels to a worker of one sample. Tasks, items and streams are there already, and only named."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..lives import Life, Lived, Moment
from ..records import Key, RunSpec
from ..schedule import Unit
from ..states import State

if TYPE_CHECKING:
    from ..plan import Plan
    from ..streams import Stream
    from ..task import Arm, Item

__all__ = ["Course", "Ticket", "TicketReader", "write_ticket"]


@dataclass(frozen=True, slots=True)
class Course:
    """How far a stream has come.

    Args:
        state: What the agent takes up, as text; None: a newborn agent.
        path: Names the random numbers.
        parent: The last update of the life; empty where there is none.
        lived: Of the life that the arm takes something from, the episodes up to this one; None: it takes nothing.
    """

    state: str | None
    path: tuple[str | int, ...]
    parent: str
    lived: tuple[Lived, ...] | None


@dataclass(frozen=True, slots=True)
class Ticket:
    """One sample that a worker is to play.

    Args:
        number: Names the ticket; the worker answers by it.
        key: Names the sample.
        failed: How often it ended as an error before.
        attempt: From 1.
        course: Where it belongs to a stream.
    """

    number: int
    key: Key
    failed: int
    attempt: int
    course: Course | None = None


def write_ticket(number: int, unit: Unit, attempt: int) -> Ticket:
    """Describe a unit for a worker.

    Args:
        number: Names the ticket.
        unit: What is to be played.
        attempt: From 1.
    """
    moment = unit.moment
    if moment is None:
        return Ticket(number, unit.key, unit.failed, attempt)
    source = moment.life.source
    course = Course(
        state=None if moment.state is None else moment.state.text,
        path=moment.path,
        parent=moment.life.parent,
        # All of it has been lived by now: an arm begins once what it takes from has ended.
        lived=None if source is None else tuple(source.lived[: moment.position + 1]),
    )
    return Ticket(number, unit.key, unit.failed, attempt, course)


class TicketReader:
    """Makes units of tickets, as the schedule made them.

    Args:
        spec: The run's specification.
        plans: Its tasks.
    """

    def __init__(self, spec: RunSpec, plans: Sequence[Plan]) -> None:
        self._spec = spec
        self._plans: Mapping[str, Plan] = {plan.task.name: plan for plan in plans}
        self._arms: dict[tuple[str, str], Arm] = {(p.task.name, arm.name): arm for p in plans for arm in p.arms}
        self._items: dict[tuple[str, str], Item] = {(p.task.name, item.id): item for p in plans for item in p.items}
        self._streams: dict[tuple[str, str], Stream] = {(p.task.name, s.id): s for p in plans for s in p.streams}

    def unit(self, ticket: Ticket) -> Unit:
        """The unit that a ticket describes.

        Raises:
            KeyError: It names what the run has not.
        """
        key, course = ticket.key, ticket.course
        plan, arm, item = self._plans[key.task], self._arms[key.task, key.arm], self._items[key.task, key.item]
        moment = None
        if course is not None:
            life = self._life(plan, arm, key, course)
            state = None if course.state is None else State.parse(course.state)
            moment = Moment(life, item, key.sample, key.position, key.checkpoint, state, course.path)
        return Unit(plan, arm, item, key.sample, key, ticket.failed, moment)

    def _life(self, plan: Plan, arm: Arm, key: Key, course: Course) -> Life:
        stream = self._streams[key.task, key.stream]
        seed, agent = self._spec.seed, self._spec.agent.name
        source = None
        if course.lived is not None:
            source = Life(plan, arm, stream, seed=seed, agent=agent)
            source.lived = list(course.lived)
        life = Life(plan, arm, stream, seed=seed, agent=agent, source=source)
        life.parent = course.parent
        return life
