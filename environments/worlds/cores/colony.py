"""Colony: a small economy of food, ore, workers and tools, under seasons that may be hidden and harvests that may fail.

All workers do one thing a step. Farming yields food by the season, mining ore; tools help both; a trader takes ore.
Then everybody eats: too little food, and a worker is gone. One season of the year is barren: in it farming yields
nothing, and in the other seasons a harvest fails with a small probability. Which season is barren, and how far the year
has come, is fixed in a level.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import product
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
    from numpy.typing import NDArray

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


FARM = Action("work", ("farm",))


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


class ColonyPlan:
    """What stocks are worth to somebody who knows luck and season, for all of both: what the player averages.

    A *stock* is a number for food, ore, workers, tools and, where the charter counts, what it still asks. A *phase* is
    the step of the year counted from the beginning of the barren season.

    Attributes:
        failures: Shape (lucks,).
        after: The stock after an action, shape (actions + 1, stocks); the last row is a harvest that comes.
        pays: What it pays, of the same shape.
        goes_on: 0 where the episode ends with it, else 1; of the same shape.
        values: Shape (horizon + 1, lucks, phases, stocks), by steps left.
    """

    def __init__(self, world: World) -> None:
        import numpy as np

        self.failures = np.array(world.core.generator.preset(world.preset).settings["failures"])
        most = max(world.core.generator.preset(world.preset).settings["target"])
        self._asked = most + 1 if world.reward.kind == "binary" else 1
        dynamics, reward = ColonyDynamics(), world.reward
        level = ColonyLevel(0, 1, 0.5, 0, 0, most)
        farm = dynamics.actions.all.index(FARM)
        shape = (len(dynamics.actions.all) + 1, (_MOST_FOOD + 1) * (_MOST_ORE + 1) * _MOST_WORKERS * 2 * self._asked)
        self.after, self.pays = np.zeros(shape, dtype=np.int64), np.zeros(shape)
        self.goes_on = np.ones(shape)
        for food, ore, workers, tools, missing in product(
            range(_MOST_FOOD + 1), range(_MOST_ORE + 1), range(1, _MOST_WORKERS + 1), range(2), range(self._asked)
        ):
            at = self.stock(food, ore, workers, tools, missing)
            state = ColonyState(food, ore, workers, tools, _SEASON, most - missing)
            for row, action in enumerate((*dynamics.actions.all, FARM)):
                new, events, over = dynamics._after(level, state, action, fails=row == farm)  # its own
                self.pays[row, at] = reward.pay(events)
                if over or reward.ends(events):
                    self.goes_on[row, at] = 0.0
                else:
                    self.after[row, at] = self.stock(*new[:4], most - new.delivered)
        year = _SEASONS * _SEASON
        # A harvest comes with this probability: shape (lucks, phases).
        self.comes = np.where(np.arange(year) < _SEASON, 0.0, 1 - self.failures[:, None])
        self.values = np.zeros((world.horizon + 1, len(self.failures), year, shape[1]))
        for left in range(1, world.horizon + 1):
            later = np.roll(self.values[left - 1], -1, axis=1)
            rows = [self.pays[row] + self.goes_on[row] * later[..., self.after[row]] for row in range(shape[0])]
            come = self.comes[..., None]
            rows[farm] = come * rows[-1] + (1 - come) * rows[farm]
            np.maximum.reduce(rows[:-1], out=self.values[left])

    def stock(self, food: int, ore: int, workers: int, tools: int, missing: int) -> int:
        """The number of a stock; ``missing`` does not count where nothing is paid for the charter."""
        at = ((food * (_MOST_ORE + 1) + ore) * _MOST_WORKERS + workers - 1) * 2 + tools
        return at * self._asked + (missing if self._asked > 1 else 0)


@lru_cache(maxsize=8)
def _plan(world: World) -> ColonyPlan:
    return ColonyPlan(world)


class ColonyPlayer:
    """Keeps an exact belief of luck and season, looks some steps ahead in it, and then averages known values.

    What comes of looking ahead includes what harvests tell; beyond that it plays as if luck and season were known
    (Littman, Cassandra and Kaelbling 1995, ICML, section 3, after some steps of belief search).
    """

    depth = 2

    def __init__(self, world: World) -> None:
        import numpy as np

        self._plan = _plan(world)
        self._actions = world.dynamics.actions.all
        self._farm = self._actions.index(FARM)
        self._left = world.horizon
        # Of luck and of the phase now: shape (lucks, phases).
        lucks, phases = self._plan.comes.shape
        self._belief = np.full((lucks, phases), 1 / lucks / phases)
        self._farmed: int | None = None

    def act(self, view: ColonyView, reward: float, key: Key) -> Action:
        """The best by what is believed; of equals the first."""
        import numpy as np

        plan = self._plan
        at = plan.stock(view.food, view.ore, view.workers, view.tools, view.missing)
        if self._farmed is not None:
            came = plan.after[-1, self._farmed] == at
            self._belief = self._belief * (plan.comes if came else 1 - plan.comes)
            self._belief /= self._belief.sum()
        if self._left < plan.values.shape[0] - 1:
            self._belief = np.roll(self._belief, 1, axis=1)
        best = int(np.argmax(self._worths(self._belief, at, self._left, self.depth)))
        self._left -= 1
        self._farmed = at if best == self._farm else None
        return self._actions[best]

    def _worths(self, belief: NDArray[np.float64], at: int, left: int, depth: int) -> list[float]:
        """What each action is worth; beliefs need not sum to 1, and worths are scaled as they are."""
        import numpy as np

        plan = self._plan
        whole = float(belief.sum())
        later = np.roll(belief, 1, axis=1)
        worths = []
        for row in range(len(self._actions)):
            if row == self._farm:
                came = np.roll(belief * plan.comes, 1, axis=1)
                worths.append(
                    self._worth(came, -1, at, left, depth)
                    + self._worth(later - came, row, at, left, depth)
                    + plan.pays[row, at] * whole
                )
            else:
                worths.append(plan.pays[row, at] * whole + self._worth(later, row, at, left, depth))
        return worths

    def _worth(self, belief: NDArray[np.float64], row: int, at: int, left: int, depth: int) -> float:
        """What follows an outcome: nothing at the end or where it cannot be."""
        plan = self._plan
        if left <= 1 or not plan.goes_on[row, at]:
            return 0.0
        after = int(plan.after[row, at])
        if depth <= 1:
            return float((belief * plan.values[left - 1, :, :, after]).sum())
        if belief.sum() < 1e-12:
            return 0.0
        return max(self._worths(belief, after, left - 1, depth - 1))


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
