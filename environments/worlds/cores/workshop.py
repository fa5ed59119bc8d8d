"""Workshop: three orders of two stages each on two machines that must be warm, with one jig, deadlines and a delivery.

A stage starts if its machine is warm and free, the one before it is done, its material is there, and the jig is free if
it needs it; it then runs by itself. A machine takes steps to warm up and cools when idle. An order that is not done in
time is lost. Machines may be coupled: warming up may ruin work at the other (``power``), work at the press may cool an
idle oven (``draught``), work at the oven may warm an idle press (``embers``), or only one may get on (``rivals``).
Hidden is the coupling. It asks for planning ahead with resources, and for telling interactions apart. Deterministic.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from ....suite.errors import UsageError
from ..actions import Action, ActionKind, ActionSchema, Choice
from ..core import Core, by_name, skins
from ..dynamics import Dynamics, Event, Transition
from ..keys import STILL, Key
from ..level import Generator, Preset
from ..observation import Observation
from ..reward import Pays, Reward
from ..skin import Skin, Vocabulary

if TYPE_CHECKING:
    import numpy as np

    from ..world import World

__all__ = ["CORE"]

_ORDERS = ("axe", "bell", "cup")
_MACHINES = ("press", "oven")
_PRESS, _OVEN = 0, 1
_COUPLINGS = ("apart", "power", "draught", "embers", "rivals")
_WARM, _WARMING = 3, 2
"""Steps that an idle machine stays warm, and that warming takes."""
_IDLE, _LOST, _DONE = -1, -1, 2
_DELAYS = (3, 6, 9)

Stage = tuple[int, int, bool]
"""Machine, steps, and whether the jig is needed."""


@dataclass(frozen=True, eq=False, slots=True)
class WorkshopLevel:
    """A level.

    Attributes:
        stages: Two for each order.
        values: What each order is worth.
        due: The clock by which it must be done.
        awaited: The order whose material comes late.
        delay: The clock from which it is there.
        coupling: What the machines do to each other.
    """

    stages: tuple[tuple[Stage, Stage], ...]
    values: tuple[int, ...]
    due: tuple[int, ...]
    awaited: int
    delay: int
    coupling: str


class WorkshopState(NamedTuple):
    """Steps so far; stages done of each order (-1: lost); and of each machine the order at work (-1: none) and a count.

    The count is of steps of work left at a machine at work, of steps that it stays warm at an idle one, or of steps
    until it is warm, negative.
    """

    clock: int
    done: tuple[int, ...]
    work: tuple[int, int]
    left: tuple[int, int]


class WorkshopView(NamedTuple):
    """What is seen: the state, the orders' papers and the delivery, and the coupling or None where hidden."""

    clock: int
    done: tuple[int, ...]
    work: tuple[int, int]
    left: tuple[int, int]
    stages: tuple[tuple[Stage, Stage], ...]
    values: tuple[int, ...]
    due: tuple[int, ...]
    awaited: int
    delay: int
    coupling: str | None


class WorkshopDynamics(Dynamics[WorkshopLevel, WorkshopState]):
    """Start or heat something, then all that is at work goes on for a step."""

    actions: ActionSchema = ActionSchema(
        (
            ActionKind("start", "the next stage of an order", (Choice("order", _ORDERS),)),
            ActionKind("heat", "a machine", (Choice("machine", _MACHINES),)),
            ActionKind("wait", "let things go on"),
        )
    )
    events: Mapping[str, str] = {
        "finished": "the worth of orders that are done in time",
        "completed": "the last order is done, and none was lost",
        "lost": "orders that were not done when they were due",
    }

    def load(self, data: Mapping[str, Any]) -> WorkshopLevel:
        """A level of ``stages``, ``values``, ``due``, ``awaited``, ``delay`` and ``coupling``."""
        try:
            level = WorkshopLevel(
                tuple((_stage(first), _stage(second)) for first, second in data["stages"]),
                tuple(data["values"]), tuple(data["due"]), data["awaited"], data["delay"], data["coupling"],
            )  # fmt: skip
        except KeyError as error:
            raise UsageError(f"A workshop level needs {error}.") from None
        if level.coupling not in _COUPLINGS:
            raise UsageError(f"A workshop's coupling is {', '.join(_COUPLINGS)}, not {level.coupling!r}.")
        if not len(level.stages) == len(level.values) == len(level.due) == len(_ORDERS):
            raise UsageError(f"A workshop level has {len(_ORDERS)} orders with their values and deadlines.")
        return level

    def init(self, params: WorkshopLevel, key: Key) -> WorkshopState:
        """Nothing done, all cold."""
        return WorkshopState(0, (0,) * len(_ORDERS), (_IDLE, _IDLE), (0, 0))

    def step(self, params: WorkshopLevel, state: WorkshopState, action: Action, key: Key) -> Transition[WorkshopState]:
        """Act, then a step of time."""
        clock, done, work, count = state
        jobs, counts = list(work), list(count)
        if action.name == "start":
            order = _ORDERS.index(action.values[0])  # type: ignore[arg-type]  # a word, as the schema has checked
            machine = _startable(params, state, order)
            if machine is not None:
                jobs[machine], counts[machine] = order, params.stages[order][done[order]][1]
        elif action.name == "heat":
            machine = _MACHINES.index(action.values[0])  # type: ignore[arg-type]  # the same
            if jobs[machine] == _IDLE and counts[machine] >= 0:
                # One step is over at the end of this one.
                counts[machine] = _WARM + 1 if counts[machine] else -_WARMING - 1
        clock += 1
        stages, events = list(done), []
        coupling = params.coupling
        works = (jobs[0] != _IDLE, jobs[1] != _IDLE)
        warms = (counts[0] < 0, counts[1] < 0)
        for machine in (_PRESS, _OVEN):
            left = counts[machine]
            if works[machine]:
                if coupling == "power" and warms[1 - machine]:
                    jobs[machine], counts[machine] = _IDLE, _WARM
                    continue
                if coupling == "rivals" and machine == _OVEN and works[_PRESS]:
                    continue
                left -= 1
                if left == 0:
                    order, left = jobs[machine], _WARM
                    jobs[machine] = _IDLE
                    stages[order] += 1
                    if stages[order] == _DONE:
                        events.append(Event("finished", float(params.values[order])))
            elif coupling == "draught" and machine == _OVEN and works[_PRESS]:
                left = 0
            elif coupling == "embers" and machine == _PRESS and works[_OVEN]:
                left = _WARM
            elif left > 0:
                left -= 1
            elif left < 0:
                left = left + 1 if left < -1 else _WARM
            counts[machine] = left
        for order, due in enumerate(params.due):
            if clock >= due and 0 <= stages[order] < _DONE:
                stages[order] = _LOST
                events.append(Event("lost"))
                for machine in (_PRESS, _OVEN):
                    if jobs[machine] == order:
                        jobs[machine], counts[machine] = _IDLE, _WARM
        over = all(stage in (_LOST, _DONE) for stage in stages)
        if over and _LOST not in stages:
            events.append(Event("completed"))
        after = WorkshopState(clock, tuple(stages), (jobs[0], jobs[1]), (counts[0], counts[1]))
        return Transition(after, tuple(events), over)

    def limits(self, params: WorkshopLevel, horizon: int) -> Mapping[str, float]:
        """Each order once."""
        return {"finished": sum(params.values), "completed": 1, "lost": len(_ORDERS)}


def _stage(data: Sequence[Any]) -> Stage:
    return (int(data[0]), int(data[1]), bool(data[2]))


def _startable(params: WorkshopLevel, state: WorkshopState, order: int) -> int | None:
    """The machine at which an order's next stage can start now; None if it cannot."""
    stage = state.done[order]
    work = state.work
    if stage in (_LOST, _DONE) or order in work:
        return None
    machine, _, jig = params.stages[order][stage]
    if work[machine] != _IDLE or state.left[machine] <= 0:
        return None
    if stage == 0 and order == params.awaited and state.clock < params.delay:
        return None
    other = work[1 - machine]
    # The jig is in use if the stage at the other machine needs it.
    if jig and other != _IDLE and params.stages[other][state.done[other]][2]:
        return None
    return machine


_START = tuple(Action("start", (order,)) for order in _ORDERS)
_HEAT = tuple(Action("heat", (machine,)) for machine in _MACHINES)
_WAIT = Action("wait")
_TURNS = tuple(
    tuple((n * sign + shift) % len(_ORDERS) for n in range(len(_ORDERS)))
    for sign in (1, -1)
    for shift in range(len(_ORDERS))
)


class _Rank(NamedTuple):
    """A dispatcher: the orders by rank, and whether nothing is begun or heated while the other machine works."""

    orders: tuple[int, ...]
    careful: bool


def _dispatch(params: WorkshopLevel, state: WorkshopState, rank: _Rank) -> Action:
    """What a dispatcher does: start the first order that can be, or heat what one needs next, or wait."""
    first = rank.orders
    if rank.careful and state.work != (_IDLE, _IDLE):
        return _WAIT
    for order in first:
        if _startable(params, state, order) is not None:
            return _START[order]
    for order in first:
        stage = state.done[order]
        if stage in (_LOST, _DONE):
            continue
        # While a stage is at work, the machine of the one after it may warm up.
        soon = stage + (order in state.work)
        if soon == _DONE or (stage == 0 and order == params.awaited and state.clock + _WARMING + 1 < params.delay):
            continue
        machine = params.stages[order][soon][0]
        if state.work[machine] != _IDLE or state.left[machine] < 0:
            continue
        if order in state.work:
            at = state.work.index(order)
            if state.left[at] > _WARMING + 1:
                continue
        if state.left[machine] <= 1:
            return _HEAT[machine]
    return _WAIT


_RANKS = tuple(_Rank(orders, careful) for careful in (False, True) for orders in _TURNS)


def _finish(params: WorkshopLevel, rank: _Rank) -> list[int] | None:
    """When each order would be done under a dispatcher, without deadlines; None if that takes over 60 steps."""
    dynamics = WorkshopDynamics()
    state = dynamics.init(params, STILL)
    times = [0] * len(_ORDERS)
    for _ in range(60):
        state, events, over = dynamics.step(params, state, _dispatch(params, state, rank), STILL)
        if events:
            for order, stage in enumerate(state.done):
                if stage == _DONE and times[order] == 0:
                    times[order] = state.clock
        if over:
            return times
    return None


def _deadlines(data: Mapping[str, Any]) -> list[int]:
    """For each order the latest time, over all couplings, at which the quickest dispatcher has it done.

    So deadlines tell nothing of the coupling, and with any of them all orders can be kept.
    """
    latest = [0] * len(_ORDERS)
    for coupling in _COUPLINGS:
        params = WorkshopDynamics().load({**data, "due": [1_000] * len(_ORDERS), "coupling": coupling})
        found = [times for rank in _RANKS if (times := _finish(params, rank)) is not None]
        best = min(found, key=lambda times: (max(times), sum(times)))
        latest = [max(pair) for pair in zip(latest, best, strict=True)]
    return latest


class WorkshopGenerator(Generator):
    """Random orders with deadlines that can be kept under every coupling by one who knows it."""

    version: int = 1
    presets: Mapping[str, Preset] = {
        "calm": Preset("calm", "up to 3 steps to spare for each order", {"slack": 3, "least": 14, "latest": 28}),
        "rush": Preset("rush", "no step to spare", {"slack": 0, "least": 14, "latest": 22}),
    }

    def draw(self, settings: Mapping[str, Any], rng: np.random.Generator) -> dict[str, Any] | None:
        """Orders, a delay and a coupling; None if all is done too soon or too late."""
        stages = []
        for _ in _ORDERS:
            first = int(rng.integers(2))
            stages.append([[m, int(rng.integers(2, 5)), int(rng.random() < 0.4)] for m in (first, 1 - first)])
        data: dict[str, Any] = {
            "stages": stages,
            "values": [int(value) for value in rng.integers(1, 5, len(_ORDERS))],
            "awaited": int(rng.integers(len(_ORDERS))),
            "delay": _DELAYS[int(rng.integers(len(_DELAYS)))],
            "coupling": _COUPLINGS[int(rng.integers(len(_COUPLINGS)))],
        }
        slack = [int(more) for more in rng.integers(0, settings["slack"] + 1, len(_ORDERS))]
        due = [time + more for time, more in zip(_deadlines(data), slack, strict=True)]
        return data | {"due": due} if settings["least"] <= max(due) <= settings["latest"] else None

    def alternatives(
        self, settings: Mapping[str, Any], params: Mapping[str, Any], observation: str
    ) -> Sequence[tuple[float, Mapping[str, Any]]]:
        """The same orders under every coupling, all as likely."""
        if observation == "full":
            return ((1.0, params),)
        return tuple((1 / len(_COUPLINGS), {**params, "coupling": coupling}) for coupling in _COUPLINGS)


class _Sight(Observation[WorkshopLevel, WorkshopState, WorkshopView]):
    """Sees the workshop and the papers, with the coupling or without."""

    def __init__(self, name: str, *, told: bool) -> None:
        self.name = name
        self.kind = "full" if told else "partial"
        self._told = told

    def observe(self, params: WorkshopLevel, state: WorkshopState, events: Sequence[Event]) -> WorkshopView:
        """The view."""
        return WorkshopView(
            *state,
            params.stages,
            params.values,
            params.due,
            params.awaited,
            params.delay,
            params.coupling if self._told else None,
        )


_EFFECTS = {
    "apart": "Neither machine does anything to the other.",
    "power": "A machine that is {warming} ruins the stage at the other.",
    "draught": "While the {press} is {working}, an idle {oven} is {cold}.",
    "embers": "While the {oven} is {working}, an idle {press} is {warm}.",
    "rivals": "While both are {working}, the {oven} does not get on.",
}


class WorkshopSkin(Skin[WorkshopView]):
    """The machines, then the papers."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        super().__init__(vocabulary)
        self._orders = [vocabulary[order] for order in _ORDERS]
        self._machines = [vocabulary[machine] for machine in _MACHINES]
        self._effects = {name: vocabulary.fill(told) for name, told in _EFFECTS.items()}
        self._papers: dict[tuple[Any, ...], list[str]] = {}

    def setting(self) -> str:
        """What is there."""
        return self.vocabulary.fill(
            "You run a workshop with a {press} and an {oven}. Three orders have two stages each, in turn. A "
            "stage's paper tells the machine, how many steps it takes, and whether it needs the one {jig} there is. "
            "An order must be done when it is due, or it is lost."
        )

    def text(self, view: WorkshopView) -> str:
        """Clock, machines, orders, and what is told of delivery and coupling."""
        w = self.vocabulary
        lines = [f"Clock {view.clock}."]
        for machine, name in enumerate(self._machines):
            job, count = view.work[machine], view.left[machine]
            if job != _IDLE:
                lines.append(f"{name}: {w['working']} at {self._orders[job]}, {count} to go")
            elif count > 0:
                lines.append(f"{name}: {w['warm']}, {count} more")
            else:
                lines.append(f"{name}: {w['warming']}, {-count} to go" if count < 0 else f"{name}: {w['cold']}")
        for order, name in enumerate(self._orders):
            stage = view.done[order]
            told = "lost" if stage == _LOST else "done" if stage == _DONE else f"stage {stage + 1} next"
            (m0, s0, j0), (m1, s1, j1) = view.stages[order]
            jig = f" with {w['jig']}"
            lines.append(
                f"{name}: {told}; {self._machines[m0]} {s0}{jig if j0 else ''}, "
                f"{self._machines[m1]} {s1}{jig if j1 else ''}; due {view.due[order]}, worth {view.values[order]}"
            )
        lines.append(f"The material of {self._orders[view.awaited]} is here from {view.delay} on.")
        if view.coupling is not None:
            lines.append(self._effects[view.coupling])
        return "\n".join(lines)

    def picture(self, view: WorkshopView) -> str:
        """Bars: what machines have to go, and what orders have until they are due."""
        wide = max(map(len, (*self._machines, *self._orders)))
        lines = []
        for machine, name in enumerate(self._machines):
            job, count = view.work[machine], view.left[machine]
            bar = "#" * count if job != _IDLE else "+" * count if count > 0 else "-" * -count
            lines.append(f"{name.ljust(wide)} {bar} {self._orders[job] if job != _IDLE else ''}".rstrip())
        for order, name in enumerate(self._orders):
            stage = view.done[order]
            rest = max(0, view.due[order] - view.clock)
            state = "x" if stage == _LOST else "*" * stage + "o" * (_DONE - stage)
            lines.append(f"{name.ljust(wide)} {state.ljust(_DONE)} {'.' * rest if 0 <= stage < _DONE else ''}".rstrip())
        return "\n".join(lines)

    def colours(self) -> Mapping[str, tuple[int, int, int]]:
        """Work red, warmth orange, warming blue, what is done green."""
        return {"#": (215, 110, 90), "+": (240, 190, 120), "-": (150, 180, 225), "*": (130, 200, 130)}


def _potential(params: WorkshopLevel, state: WorkshopState, reward: Reward) -> float:
    """What stages done or begun are worth, while their orders can still be kept; and a little for warm machines."""
    worth, kept = 0.0, 0
    clock, done, work, count = state
    for order, stage in enumerate(done):
        if stage in (_LOST, _DONE):
            kept += stage == _DONE
            continue
        need = sum(steps for _, steps, _ in params.stages[order][stage:])
        if order in work:
            at = work.index(order)
            need -= params.stages[order][stage][1] - count[at]
        if clock + need > params.due[order]:
            continue
        kept += 1
        total = sum(steps for _, steps, _ in params.stages[order])
        worth += (0.1 + 0.7 * (total - need) / total + (0.1 if order in work else 0.0)) * params.values[order]
    for machine in (_PRESS, _OVEN):
        wanted = any(
            0 <= stage < _DONE and any(m == machine for m, _, _ in params.stages[order][stage:])
            for order, stage in enumerate(done)
        )
        if wanted:
            ready = work[machine] != _IDLE or count[machine] > 0
            worth += 0.3 if ready else 0.15 + 0.05 * (_WARMING + count[machine]) if count[machine] < 0 else 0.0
    if reward.kind == "accumulative":
        return worth
    paid = sum(value for value, stage in zip(params.values, done, strict=True) if stage == _DONE)
    share = (worth + paid) / (sum(params.values) + 1)
    return 0.9 * share * (1.0 if kept == len(done) else 0.1)


class WorkshopPlayer:
    """Keeps the couplings that fit what it saw, and does what the best dispatcher of orders does on average."""

    def __init__(self, world: World) -> None:
        self._binary = world.reward.kind == "binary"
        self._dynamics = WorkshopDynamics()
        self._cases: list[WorkshopLevel] = []
        self._last: tuple[WorkshopState, Action] | None = None

    def act(self, view: WorkshopView, reward: float, key: Key) -> Action:
        """Learn, then try each dispatcher in each case that fits."""
        state = WorkshopState(view.clock, view.done, view.work, view.left)
        if not self._cases:
            self._cases = [
                WorkshopLevel(view.stages, view.values, view.due, view.awaited, view.delay, coupling)
                for coupling in (_COUPLINGS if view.coupling is None else (view.coupling,))
            ]
        fitting = [
            case
            for case in self._cases
            if self._last is None or self._dynamics.step(case, *self._last, STILL).state == state
        ]
        self._cases = fitting or self._cases
        rank = max(_RANKS, key=lambda rank: sum(self._rollout(case, state, rank) for case in self._cases))
        # What a dispatcher does now depends on the state alone, and so is the same in all cases.
        action = _dispatch(self._cases[0], state, rank)
        self._last = (state, action)
        return action

    def _rollout(self, case: WorkshopLevel, state: WorkshopState, rank: _Rank) -> float:
        total, over = 0.0, False
        while not over:
            state, events, over = self._dynamics.step(case, state, _dispatch(case, state, rank), STILL)
            for event in events:
                if event.name == "finished":
                    total += event.amount
                elif event.name == "completed" and self._binary:
                    total += 100.0
        return total


CORE = Core(
    name="workshop",
    summary="Scheduling orders on machines that warm up, with a shared jig, deadlines and hidden couplings.",
    dynamics=WorkshopDynamics(),
    generator=WorkshopGenerator(),
    rewards=by_name(
        [
            Pays(
                "binary", "binary", "When all three orders are done in time, that pays 1.",
                {"completed": 1.0}, frozenset({"completed"}),
            ),
            Pays("accumulative", "accumulative", "Each order done in time pays what it is worth.", {"finished": 1.0}),
        ]
    ),
    observations=by_name([_Sight("full", told=True), _Sight("floor", told=False)]),
    skins=skins(
        WorkshopSkin,
        Vocabulary("plain", "aligned", {}),
        Vocabulary(
            "inverse",
            "inverse",
            {"heat": "cool", "warm": "cold", "cold": "warm", "warming": "cooling", "press": "oven", "oven": "press"},
        ),
        Vocabulary(
            "symbols",
            "abstract",
            {
                "start": "S", "order": "O", "heat": "H", "machine": "M", "wait": "W", "axe": "a", "bell": "b",
                "cup": "c", "press": "x", "oven": "y", "warm": "+", "cold": "-", "warming": "~",
                "working": "*", "jig": "J",
            },
        ),
        Vocabulary(
            "kitchen",
            "other",
            {
                "start": "cook", "order": "dish", "heat": "preheat", "machine": "stove", "axe": "soup",
                "bell": "roast", "cup": "tart", "press": "grill", "jig": "pan", "working": "cooking",
            },
        ),
    ),
    potential=_potential,
    player=WorkshopPlayer,
)  # fmt: skip
