"""Foraging: three patches of food in a ring, of which one regrows; which one changes unannounced. Batched.

Each step the player goes to a patch, eats there, or rests. Going costs one unit of the store. The rich patch grows by
one unit a step, but where the player stands only if something was left: a patch that is eaten bare recovers when it is
alone. With a small chance a step the riches move on to the next patch, always the same way round in a level.
Hidden: which patch is rich, which way the riches move, how often, and in one view what other patches hold.
It asks for restraint, for noticing that a place has changed, and for learning in which order places come.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from ....suite.errors import UsageError
from ..actions import Action, ActionKind, ActionSchema, Choice, Integer
from ..core import Core, by_name, skins
from ..dynamics import BatchStep, Dynamics, Event, Outcomes, Transition
from ..keys import STILL, Key
from ..level import Generator, Preset
from ..observation import Observation
from ..reward import Pays, Reward
from ..skin import Skin, Vocabulary

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ..world import World

__all__ = ["CORE"]

_PLACES = ("meadow", "grove", "marsh")
_FULL = 3  # the most that a patch holds
_BITE = 2  # the most that is eaten in a step


@dataclass(frozen=True, eq=False, slots=True)
class ForagingLevel:
    """A level. ``turn`` is 1 or 2: how many patches on the riches move; ``change`` is their chance to, in a step."""

    start: int
    stocks: tuple[int, int, int]
    rich: int
    turn: int
    change: float
    target: int


class ForagingState(NamedTuple):
    """Where the player is, what the patches hold, which one is rich, and the store (no more than is asked for)."""

    at: int
    meadow: int
    grove: int
    marsh: int
    rich: int
    store: int


class ForagingView(NamedTuple):
    """What is seen. Stocks are None where hidden; ``riches`` is (rich patch, the next, chance) or None."""

    at: int
    stocks: tuple[int | None, int | None, int | None]
    missing: int
    riches: tuple[int, int, float] | None


_TRAVELLED = Event("travelled")
_EATEN = tuple(Event("eaten", float(amount)) for amount in range(_BITE + 1))
_STORED = Event("stored")


class ForagingDynamics(Dynamics[ForagingLevel, ForagingState]):
    """Act, then the rich patch grows, then the riches may move on."""

    actions: ActionSchema = ActionSchema(
        (
            ActionKind("go", "to a place", (Choice("place", _PLACES),)),
            ActionKind("eat", "where you are, if there is as much", (Integer("amount", 1, _BITE),)),
            ActionKind("rest", "where you are"),
        )
    )
    events: Mapping[str, str] = {
        "eaten": "food taken from a patch",
        "travelled": "the player went to another patch",
        "stored": "the store is full for the first time",
    }
    stochastic: bool = True

    def load(self, data: Mapping[str, Any]) -> ForagingLevel:
        """A level of ``start``, ``stocks``, ``rich``, ``turn``, ``change`` and ``target``."""
        try:
            level = ForagingLevel(
                data["start"], tuple(data["stocks"]), data["rich"], data["turn"], data["change"], data["target"]
            )
        except KeyError as error:
            raise UsageError(f"A foraging level needs {error}.") from None
        if len(level.stocks) != len(_PLACES) or level.turn not in (1, 2) or not 0 < level.change < 1:
            raise UsageError(
                f"A foraging level has {len(_PLACES)} stocks, a turn of 1 or 2, a change in (0, 1), not {dict(data)}."
            )
        return level

    def init(self, params: ForagingLevel, key: Key) -> ForagingState:
        """At the start with an empty store."""
        return ForagingState(params.start, *params.stocks, params.rich, 0)

    def starts(self, params: ForagingLevel) -> Sequence[tuple[float, ForagingState]]:
        """One: chance is in the riches only."""
        return ((1.0, self.init(params, STILL)),)

    def step(self, params: ForagingLevel, state: ForagingState, action: Action, key: Key) -> Transition[ForagingState]:
        """Act, grow, and perhaps move the riches on."""
        after, events = self._acted(params, state, action)
        if key.uniform() >= 1 - params.change:
            after = after._replace(rich=(after.rich + params.turn) % 3)
        return Transition(after, events)

    def outcomes(self, params: ForagingLevel, state: ForagingState, action: Action) -> Outcomes[ForagingState]:
        """Two: the riches stay, or move on."""
        after, events = self._acted(params, state, action)
        moved = ForagingState(*after[:4], (after.rich + params.turn) % 3, after.store)
        return ((1 - params.change, Transition(after, events)), (params.change, Transition(moved, events)))

    def limits(self, params: ForagingLevel, horizon: int) -> Mapping[str, float]:
        """No more is eaten than was there and has grown: one unit a step, the last of them too late."""
        return {"eaten": sum(params.stocks) + horizon - 1, "travelled": horizon, "stored": 1}

    def _acted(
        self, params: ForagingLevel, state: ForagingState, action: Action
    ) -> tuple[ForagingState, tuple[Event, ...]]:
        at, a, b, c, rich, store = state
        stocks = [a, b, c]
        events: tuple[Event, ...] = ()
        name, target = action.name, params.target
        if name == "go":
            place = _PLACES.index(action.values[0])  # type: ignore[arg-type]  # the schema has checked it
            if place != at:
                at = place
                events = (_TRAVELLED,)
                if 0 < store < target:
                    store -= 1
        elif name == "eat":
            taken = action.values[0]
            assert isinstance(taken, int)
            if taken <= stocks[at]:
                stocks[at] -= taken
                events = (_EATEN[taken],)
                if store < target:
                    store = min(target, store + taken)
                    if store == target:
                        events = (_EATEN[taken], _STORED)
        growing = stocks[rich]
        if growing < _FULL and (growing or rich != at):
            stocks[rich] = growing + 1
        return ForagingState(at, stocks[0], stocks[1], stocks[2], rich, store), events

    # Batched: the same in arrays.

    def init_batch(self, params: Sequence[ForagingLevel], keys: NDArray[np.uint64]) -> _Rows:
        """Every row at its start."""
        import numpy as np

        return _Rows(
            np.array([p.start for p in params]),
            np.array([p.stocks for p in params]),
            np.array([p.rich for p in params]),
            np.zeros(len(params), dtype=np.int64),
            np.array([p.turn for p in params]),
            np.array([1 - p.change for p in params]),
            np.array([p.target for p in params]),
        )

    def step_batch(self, states: _Rows, actions: NDArray[np.int64], keys: NDArray[np.uint64]) -> BatchStep[_Rows]:
        """Act, grow, move on, in every row."""
        import numpy as np

        from ..keys import uniforms

        at, stocks, rich, store, turn, stay, target = states
        rows = np.arange(len(at))
        stocks = stocks.copy()
        place, wanted = _GOES[actions], _EATS[actions]
        travelled = (place >= 0) & (place != at)
        at = np.where(travelled, place, at)
        store = np.where(travelled & (store > 0) & (store < target), store - 1, store)
        eaten = np.where(wanted <= stocks[rows, at], wanted, 0)
        stocks[rows, at] -= eaten
        full = np.minimum(target, store + eaten)
        stored = (store < target) & (full == target)
        growing = stocks[rows, rich]
        stocks[rows, rich] = growing + ((growing < _FULL) & ((growing > 0) | (rich != at)))
        rich = np.where(uniforms(keys) >= stay, (rich + turn) % 3, rich)
        amounts = np.stack((eaten, travelled, stored), axis=1).astype(np.float64)
        after = _Rows(at, stocks, rich, np.maximum(store, full), turn, stay, target)
        return BatchStep(after, amounts, np.zeros(len(at), dtype=bool))

    def row(self, states: _Rows, index: int) -> ForagingState:
        """One row as a scalar state."""
        a, b, c = (int(amount) for amount in states.stocks[index])
        return ForagingState(int(states.at[index]), a, b, c, int(states.rich[index]), int(states.store[index]))

    def select(self, use: NDArray[np.bool_], new: _Rows, old: _Rows) -> _Rows:
        """Rows of ``new`` where ``use`` is true, else of ``old``."""
        import numpy as np

        return _Rows(
            np.where(use, new.at, old.at),
            np.where(use[:, None], new.stocks, old.stocks),
            np.where(use, new.rich, old.rich),
            np.where(use, new.store, old.store),
            new.turn,
            new.stay,
            new.target,
        )


class _Rows(NamedTuple):
    """States of a batch; the last three are fixed in a level."""

    at: NDArray[np.int64]
    stocks: NDArray[np.int64]
    rich: NDArray[np.int64]
    store: NDArray[np.int64]
    turn: NDArray[np.int64]
    stay: NDArray[np.float64]
    target: NDArray[np.int64]


def _table(name: str) -> Any:
    import numpy as np

    # In the order of the schema's `all`, and last, at -1, what changes nothing.
    found = []
    for action in ForagingDynamics.actions.all:
        value = action.values[0] if action.name == name else None
        if name == "go":
            found.append(-1 if value is None else _PLACES.index(value))  # type: ignore[arg-type]  # a place
        else:
            found.append(0 if value is None else value)
    return np.array([*found, -1 if name == "go" else 0])


_GOES, _EATS = _table("go"), _table("eat")


class ForagingGenerator(Generator):
    """Patches with something in them, riches somewhere."""

    version: int = 1
    presets: Mapping[str, Preset] = {
        "mild": Preset("mild", "the riches stay for 12 steps on average", {"change": 1 / 12, "target": [22, 24]}),
        "rough": Preset("rough", "the riches stay for 6 steps on average", {"change": 1 / 6, "target": [19, 21]}),
    }

    def draw(self, settings: Mapping[str, Any], rng: np.random.Generator) -> dict[str, Any]:
        """Place, stocks, riches, and what is asked for."""
        low, high = settings["target"]
        return {
            "start": int(rng.integers(3)),
            "stocks": [int(amount) for amount in rng.integers(0, _FULL + 1, 3)],
            "rich": int(rng.integers(3)),
            "turn": int(rng.integers(1, 3)),
            "change": settings["change"],
            "target": int(rng.integers(low, high + 1)),
        }

    def alternatives(
        self, settings: Mapping[str, Any], params: Mapping[str, Any], observation: str
    ) -> Sequence[tuple[float, Mapping[str, Any]]] | None:
        """The level alone where all is seen; None elsewhere: riches that may have moved have too many beliefs."""
        return ((1.0, params),) if observation == "full" else None


class _Sight(Observation[ForagingLevel, ForagingState, ForagingView]):
    """Sees all patches or the player's own, and the riches or not."""

    def __init__(self, name: str, *, far: bool, riches: bool) -> None:
        self.name = name
        self.kind = "full" if far and riches else "partial"
        self._far, self._riches = far, riches

    def observe(self, params: ForagingLevel, state: ForagingState, events: Sequence[Event]) -> ForagingView:
        """Place, stocks, what the store lacks."""
        at, rich = state.at, state.rich
        stocks: tuple[int | None, ...] = state[1:4]
        if not self._far:
            stocks = (None,) * at + (stocks[at],) + (None,) * (2 - at)
        riches = (rich, (rich + params.turn) % 3, round(params.change, 3)) if self._riches else None
        return ForagingView(at, stocks, params.target - state.store, riches)  # type: ignore[arg-type]  # three of them


class ForagingSkin(Skin[ForagingView]):
    """A line for each patch."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        super().__init__(vocabulary)
        words = [vocabulary[place] for place in _PLACES]
        self._lines = [
            {amount: f"{word}: {'unseen' if amount is None else amount}" for amount in (None, *range(_FULL + 1))}
            for word in words
        ]
        self._here = [f"You are at the {word}.\n" for word in words]
        self._store = vocabulary["store"]

    def setting(self) -> str:
        """What is to be seen."""
        return self.vocabulary.fill(
            "You live from three places: {meadow}, {grove} and {marsh}. Each holds some {food}; going costs a unit of "
            "what you have in your {store}."
        )

    def text(self, view: ForagingView) -> str:
        """Place, patches, store."""
        at, (a, b, c), missing, riches = view
        lines = self._lines
        text = f"{self._here[at]}{lines[0][a]}, {lines[1][b]}, {lines[2][c]}\n{self._store}: {missing} to go"
        if riches is not None:
            w = self.vocabulary
            rich, following, change = riches
            text += (
                f"\n{w['growing']}: {w[_PLACES[rich]]}, then {w[_PLACES[following]]}; a move comes with chance "
                f"{change} a step"
            )
        return text

    def picture(self, view: ForagingView) -> str:
        """Bars."""
        words = [self.vocabulary[place] for place in _PLACES]
        wide = max(map(len, words))
        lines = []
        for number, (word, amount) in enumerate(zip(words, view.stocks, strict=True)):
            mark = "@" if number == view.at else "+" if view.riches is not None and view.riches[0] == number else " "
            lines.append(f"{mark} {word.ljust(wide)} {'?' if amount is None else '=' * amount}")
        return "\n".join([*lines, f"  {self._store.ljust(wide)} {'-' * view.missing}"])

    def colours(self) -> Mapping[str, tuple[int, int, int]]:
        """Of player, riches and food."""
        return {"@": (235, 120, 90), "+": (120, 200, 120), "=": (225, 205, 120)}


def _ramp(stock: float, first: float, second: float, third: float) -> float:
    """What a stock is worth by the worth of its first, second and third unit; straight lines between."""
    return min(stock, 1) * first + min(max(stock - 1, 0), 1) * second + max(stock - 2, 0) * third


def _worth(at: int, stocks: Sequence[float], rich: int, turn: int) -> float:
    """What the next twenty steps or so will bring, in units of food.

    The weights are rounded from a regression of exact values on these features in levels of both presets: food where it
    grows counts most, because it grows from what is left.
    """
    first, second = (rich + turn) % 3, (rich + 2 * turn) % 3
    if at == rich:
        return (
            16.0
            + _ramp(stocks[at], 1.5, 1.05, 1.0)
            + 0.6 * min(stocks[first], 1)
            + _ramp(stocks[second], 0.5, 0.2, 0.1)
        )
    other = second if at == first else first
    own = _ramp(stocks[at], 0.75, 0.7, 0.65)
    return 16.45 + own + _ramp(stocks[rich], 0.65, 0.4, 0) + _ramp(stocks[other], 0.5, 0.15, 0.1)


def _potential(params: ForagingLevel, state: ForagingState, reward: Reward) -> float:
    """What will yet be eaten; where the store counts, that beside what it holds."""
    worth = _worth(state.at, state[1:4], state.rich, params.turn)
    if reward.kind == "accumulative":
        return worth
    return 0.0 if state.store == params.target else (state.store + worth) / (params.target + 25)


class ForagingPlayer:
    """Keeps a belief about the riches and their turn, learns from what grows, and does what promises most."""

    def __init__(self, world: World) -> None:
        self._belief = {(rich, turn): 1 / 6 for rich in range(3) for turn in (1, 2)}
        self._stocks = [1.5, 1.5, 1.5]
        self._before: tuple[int, list[float]] | None = None

    def act(self, view: ForagingView, reward: float, key: Key) -> Action:
        """By the expectation over what it believes."""
        if self._before is not None:
            self._learn(view)
        for place, stock in enumerate(view.stocks):
            if stock is not None:
                self._stocks[place] = float(stock)
        if view.riches is not None:
            self._belief = {(view.riches[0], (view.riches[1] - view.riches[0]) % 3): 1.0}
        best = max(ForagingDynamics.actions.all, key=lambda action: self._promise(view.at, action))
        at, stocks, _ = self._acted(view.at, best)
        self._before = (at, stocks)
        return best

    def _learn(self, view: ForagingView) -> None:
        assert self._before is not None
        at, left = self._before
        belief = dict.fromkeys(self._belief, 0.0)
        if len(belief) == 1:
            belief = {(rich, turn): 0.0 for rich in range(3) for turn in (1, 2)}
        for (rich, turn), weight in self._belief.items():
            for place, seen in enumerate(view.stocks):
                # What was out of sight before tells nothing of this step.
                if seen is not None and left[place] == int(left[place]) and (place == at or None not in view.stocks):
                    weight *= 0.999 if seen == _grown(left, rich, at)[place] else 0.001  # Bayes' rule
            belief[rich, turn] += weight * (1 - _GUESS)
            belief[(rich + turn) % 3, turn] += weight * _GUESS
        total = sum(belief.values())
        self._belief = {which: weight / total for which, weight in belief.items()}
        self._stocks = [
            sum(weight * _grown(left, rich, at)[place] for (rich, _), weight in self._belief.items())
            for place in range(3)
        ]

    def _acted(self, at: int, action: Action) -> tuple[int, list[float], float]:
        stocks, paid = list(self._stocks), 0.0
        if action.name == "go":
            place = _PLACES.index(action.values[0])  # type: ignore[arg-type]  # a place
            at, paid = place, -1.0 if place != at else 0.0
        elif action.name == "eat":
            amount = action.values[0]
            assert isinstance(amount, int)
            if amount <= stocks[at]:
                stocks[at] -= amount
                paid = float(amount)
        return at, stocks, paid

    def _promise(self, at: int, action: Action) -> float:
        at, stocks, paid = self._acted(at, action)
        for (rich, turn), weight in self._belief.items():
            if weight > 0.002:
                grown = _grown(stocks, rich, at)
                paid += weight * (1 - _GUESS) * _worth(at, grown, rich, turn)
                paid += weight * _GUESS * _worth(at, grown, (rich + turn) % 3, turn)
        return paid


_GUESS = 0.12  # how often the player thinks that the riches move


def _grown(stocks: Sequence[float], rich: int, at: int) -> list[float]:
    """Stocks after the rich patch has grown."""
    grown = list(stocks)
    if stocks[rich] > 0 or rich != at:
        grown[rich] = min(_FULL, stocks[rich] + 1)
    return grown


CORE = Core(
    name="foraging",
    summary="Patches that are eaten bare and regrow, under riches that move on unannounced.",
    dynamics=ForagingDynamics(),
    generator=ForagingGenerator(),
    rewards=by_name(
        [
            Pays(
                "binary", "binary", "Fill your {store}: that pays 1.", {"stored": 1.0}, frozenset({"stored"}),
            ),
            Pays(
                "accumulative", "accumulative", "Each unit that you {eat} pays 1, and each way that you {go} costs 1.",
                {"eaten": 1.0, "travelled": -1.0},
            ),
        ]
    ),
    observations=by_name(
        [
            _Sight("full", far=True, riches=True),
            _Sight("far", far=True, riches=False),
            _Sight("near", far=False, riches=False),
        ]
    ),
    skins=skins(
        ForagingSkin,
        Vocabulary("plain", "aligned", {}),
        Vocabulary(
            "inverse", "inverse",
            {"food": "rot", "eat": "spare", "rest": "feast", "store": "debt", "meadow": "desert", "growing": "dying"},
        ),
        Vocabulary(
            "symbols", "abstract",
            {
                "go": "J", "place": "z", "eat": "K", "amount": "n", "rest": "L", "meadow": "a", "grove": "b",
                "marsh": "c", "food": "F", "store": "S", "growing": "T",
            },
        ),
        Vocabulary(
            "harbour", "other",
            {
                "go": "sail", "place": "bank", "eat": "net", "rest": "drift", "meadow": "shoal", "grove": "reef",
                "marsh": "deep", "food": "fish", "store": "hold", "growing": "spawning",
            },
        ),
    ),
    potential=_potential,
    player=ForagingPlayer,
)  # fmt: skip
