"""Colony: a small economy of food, ore, workers and tools, under seasons that may be hidden and harvests that may fail.

All workers do one thing a step. Farming yields food by the season, mining ore; tools help both; a trader takes ore.
Then everybody eats: too little food, and a worker is gone. One season of the year is barren: in it farming yields
nothing, and in the other seasons a harvest fails with a small probability. Which season is barren, and how far the year
has come, is fixed in a level.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from ....suite.errors import UsageError
from ..actions import Action, ActionKind, ActionSchema, Choice, Integer
from ..core import Core, by_name, skins
from ..dynamics import Dynamics, Event, Outcomes, Transition
from ..keys import Key
from ..level import Generator, Preset
from ..observation import Observation
from ..reward import Pays, Reward
from ..skin import Skin, Vocabulary

if TYPE_CHECKING:
    import numpy as np

    from ..world import World

__all__ = ["CORE"]

_MOST_FOOD, _MOST_ORE, _MOST_WORKERS = 8, 5, 3
_SEASONS, _SEASON = 3, 2  # seasons of a year, steps of a season


@dataclass(frozen=True, eq=False, slots=True)
class ColonyLevel:
    """A level: stocks at the start, how often harvests fail, which season is barren, what the charter asks."""

    food: int
    workers: int
    failure: float
    barren: int
    start: int
    target: int


class ColonyState(NamedTuple):
    """Stocks, the step of the year, and what the charter has got so far (no more than it asks)."""

    food: int
    ore: int
    workers: int
    tools: int
    clock: int
    delivered: int


class ColonyView(NamedTuple):
    """What is seen; ``season`` is (season, steps left of it, the barren one) or None where hidden."""

    food: int
    ore: int
    workers: int
    tools: int
    missing: int
    season: tuple[int, int, int] | None


class ColonyDynamics(Dynamics[ColonyLevel, ColonyState]):
    """Work, then eat."""

    actions: ActionSchema = ActionSchema(
        (
            ActionKind("work", "all workers do it", (Choice("task", ("farm", "mine", "forge", "settle")),)),
            ActionKind("sell", "to the trader, if you have as much", (Integer("amount", 1, 3),)),
        )
    )
    events: Mapping[str, str] = {
        "sold": "ore that the trader took",
        "chartered": "the trader has got what the charter asks, for the first time",
        "starved": "workers lost",
    }
    stochastic: bool = True

    def load(self, data: Mapping[str, Any]) -> ColonyLevel:
        """A level of ``food``, ``workers``, ``failure``, ``barren``, ``start`` and ``target``."""
        try:
            return ColonyLevel(
                data["food"], data["workers"], data["failure"], data["barren"], data["start"], data["target"]
            )
        except KeyError as error:
            raise UsageError(f"A colony level needs {error}.") from None

    def init(self, params: ColonyLevel, key: Key) -> ColonyState:
        """The stocks of the level, no ore, no tools."""
        return ColonyState(params.food, 0, params.workers, 0, params.start, 0)

    def starts(self, params: ColonyLevel) -> Sequence[tuple[float, ColonyState]]:
        """One: chance is in the harvests only."""
        return ((1.0, self.init(params, Key(0))),)

    def step(self, params: ColonyLevel, state: ColonyState, action: Action, key: Key) -> Transition[ColonyState]:
        """Work or sell, then eat."""
        fails = self._may_fail(params, state, action) and key.uniform() < params.failure
        return self._after(params, state, action, fails=fails)

    def outcomes(self, params: ColonyLevel, state: ColonyState, action: Action) -> Outcomes[ColonyState]:
        """One, or two where the harvest may fail."""
        good = self._after(params, state, action, fails=False)
        if not self._may_fail(params, state, action):
            return ((1.0, good),)
        return ((1 - params.failure, good), (params.failure, self._after(params, state, action, fails=True)))

    def limits(self, params: ColonyLevel, horizon: int) -> Mapping[str, float]:
        """One charter. A step of mining yields up to 4 ore and a step of selling takes up to 3: 4 sold in 7/3 steps."""
        return {"sold": horizon * 12 / 7, "chartered": 1, "starved": params.workers + horizon}

    def _may_fail(self, params: ColonyLevel, state: ColonyState, action: Action) -> bool:
        return params.failure > 0 and action.values[0] == "farm" and state.clock // _SEASON != params.barren

    def _after(
        self, params: ColonyLevel, state: ColonyState, action: Action, *, fails: bool
    ) -> Transition[ColonyState]:
        food, ore, workers, tools, clock, delivered = state
        events: list[Event] = []
        what = action.values[0]
        if what == "farm":
            if not fails and clock // _SEASON != params.barren:
                food += workers * 2 + tools
        elif what == "mine":
            ore += workers + tools
        elif what == "forge":
            if ore >= 3 and tools == 0:
                ore, tools = ore - 3, 1
        elif what == "settle":
            if food >= 5 and workers < _MOST_WORKERS:
                food, workers = food - 3, workers + 1
        elif isinstance(what, int) and ore >= what:
            ore -= what
            events.append(Event("sold", float(what)))
            if delivered < params.target:
                delivered = min(params.target, delivered + what)
                if delivered == params.target:
                    events.append(Event("chartered"))
        food -= workers
        if food < 0:
            food, workers = 0, workers - 1
            events.append(Event("starved"))
        clock = (clock + 1) % (_SEASONS * _SEASON)
        after = ColonyState(min(food, _MOST_FOOD), min(ore, _MOST_ORE), workers, tools, clock, delivered)
        return Transition(after, tuple(events), workers == 0)


class ColonyGenerator(Generator):
    """Small colonies that differ in stocks, luck, season and charter."""

    version: int = 1
    presets: Mapping[str, Preset] = {
        "valley": Preset("valley", "harvests fail now and then", {"failures": [0.0, 0.1, 0.2], "target": [9, 14]}),
        "heath": Preset("heath", "harvests fail often", {"failures": [0.2, 0.3, 0.4], "target": [7, 12]}),
    }

    def draw(self, settings: Mapping[str, Any], rng: np.random.Generator) -> dict[str, Any]:
        """Stocks, luck, season and charter."""
        low, high = settings["target"]
        return {
            "food": int(rng.integers(3, 8)),
            "workers": int(rng.integers(1, 3)),
            "failure": settings["failures"][int(rng.integers(len(settings["failures"])))],
            "barren": int(rng.integers(_SEASONS)),
            "start": int(rng.integers(_SEASONS * _SEASON)),
            "target": int(rng.integers(low, high + 1)),
        }

    def alternatives(
        self, settings: Mapping[str, Any], params: Mapping[str, Any], observation: str
    ) -> Sequence[tuple[float, Mapping[str, Any]]]:
        """Every luck, barren season and time of the year, all as likely; the level alone where all is seen."""
        lucks = settings["failures"]
        if observation == "full":
            return tuple((1 / len(lucks), {**params, "failure": f}) for f in lucks)
        years = [(b, s) for b in range(_SEASONS) for s in range(_SEASONS * _SEASON)]
        return tuple(
            (1 / len(lucks) / len(years), {**params, "failure": f, "barren": b, "start": s})
            for f in lucks
            for b, s in years
        )


class _Ledger(Observation[ColonyLevel, ColonyState, ColonyView]):
    """The stocks and what the charter still asks, with the season or without."""

    def __init__(self, name: str, *, season: bool) -> None:
        self.name = name
        self.kind = "full" if season else "partial"
        self._season = season

    def observe(self, params: ColonyLevel, state: ColonyState, events: Sequence[Event]) -> ColonyView:
        """The ledger."""
        season = None
        if self._season:
            season = (state.clock // _SEASON, _SEASON - state.clock % _SEASON, params.barren)
        return ColonyView(state.food, state.ore, state.workers, state.tools, params.target - state.delivered, season)


class ColonySkin(Skin[ColonyView]):
    """A ledger in a few lines."""

    def setting(self) -> str:
        """What the ledger shows."""
        return self.vocabulary.fill(
            "You lead a small {colony}. A ledger shows what it has: {food}, {ore}, {worker}s, {tool}s, and what the "
            "{trader} still has to get for the {charter}. Seasons come and go."
        )

    def text(self, view: ColonyView) -> str:
        """The ledger."""
        w = self.vocabulary
        text = (
            f"{w['food']} {view.food}, {w['ore']} {view.ore}, "
            f"{w['worker']}s {view.workers}, {w['tool']}s {view.tools}\n"
            f"{w['charter']}: {view.missing} to go"
        )
        if view.season is not None:
            season, left, barren = view.season
            text += f"\nseason {season}, {left} steps left; barren is season {barren}"
        return text

    def picture(self, view: ColonyView) -> str:
        """Bars."""
        w = self.vocabulary
        rows = (("food", view.food), ("ore", view.ore), ("worker", view.workers), ("tool", view.tools))
        wide = max(len(w[name]) for name, _ in rows)
        lines = [f"{w[name].ljust(wide)} {'=' * amount}" for name, amount in rows]
        lines.append(f"{w['charter'].ljust(wide)} {'-' * view.missing}")
        if view.season is not None:
            lines.append(f"season {view.season[0]} ({view.season[1]}), barren {view.season[2]}")
        return "\n".join(lines)


def _potential(params: ColonyLevel, state: ColonyState, reward: Reward) -> float:
    """What the stocks are worth: ore nearly its price, workers and tools what they will yet bring."""
    missing = params.target - state.delivered
    if reward.kind == "binary" and missing == 0:
        return 0.0
    food = min(state.food, 3 * state.workers) + 0.2 * state.food
    stocks = 0.9 * state.ore + 3.0 * state.workers + 2.0 * state.tools + 0.45 * food
    if reward.kind == "accumulative":
        return stocks
    # Delivering is worth more than having, whatever else it costs.
    return (1.2 * state.delivered + stocks) / (2 * params.target + 40)


class ColonyPlayer:
    """Learns which steps of the year yield nothing, farms in time, and else settles, forges, mines, sells."""

    def __init__(self, world: World) -> None:
        self._failed: dict[int, int] = {}
        self._time = 0
        self._farmed: tuple[int, int] | None = None

    def act(self, view: ColonyView, reward: float, key: Key) -> Action:
        """By what the stocks must last for."""
        year = _SEASONS * _SEASON
        if self._farmed is not None:
            when, food = self._farmed
            # A harvest fails now and then in any season: one that comes dispels what was thought.
            self._failed[when] = self._failed.get(when, 0) + 1 if view.food < food else -5
        now = self._time % year
        self._time += 1
        barren = {step for step, count in self._failed.items() if count > 0}
        wait = next((k for k in range(1, year) if (now + k) % year not in barren), year)
        self._farmed = None
        if now not in barren and view.food < view.workers * (wait + 1):
            self._farmed = (now, view.food)
            return Action("work", ("farm",))
        if view.workers < _MOST_WORKERS and view.food >= 3 + (view.workers + 1) * wait and view.food >= 5:
            return Action("work", ("settle",))
        if view.tools == 0 and view.ore >= 3:
            return Action("work", ("forge",))
        if view.workers < _MOST_WORKERS and now not in barren and view.food < _MOST_FOOD - 1 and self._time < 12:
            self._farmed = (now, view.food)
            return Action("work", ("farm",))
        if view.ore >= 3 or (view.missing and view.ore >= view.missing):
            return Action("sell", (min(3, view.ore),))
        return Action("work", ("mine",))


CORE = Core(
    name="colony",
    summary="A resource economy with upkeep, couplings and seasons that may be hidden.",
    dynamics=ColonyDynamics(),
    generator=ColonyGenerator(),
    rewards=by_name(
        [
            Pays(
                "binary", "binary", "When the {trader} has got enough for the {charter}, that pays 1 and ends it.",
                {"chartered": 1.0}, frozenset({"chartered"}),
            ),
            Pays("accumulative", "accumulative", "Each unit that you {sell} pays 1.", {"sold": 1.0}),
        ]
    ),
    observations=by_name([_Ledger("full", season=True), _Ledger("seasonless", season=False)]),
    skins=skins(
        ColonySkin,
        Vocabulary("plain", "aligned", {}),
        Vocabulary(
            "inverse", "inverse", {"food": "poison", "farm": "burn", "ore": "waste", "mine": "rest", "settle": "banish"}
        ),
        Vocabulary(
            "symbols",
            "abstract",
            {
                "work": "V", "task": "x", "farm": "p", "mine": "q", "forge": "r", "settle": "s", "sell": "W",
                "amount": "n", "food": "A", "ore": "B", "worker": "C", "tool": "D", "charter": "E", "trader": "F",
                "colony": "G",
            },
        ),
    ),
    potential=_potential,
    player=ColonyPlayer,
)  # fmt: skip
