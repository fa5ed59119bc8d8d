"""Alchemy: a flask, four raw substances, and reactions that each want two substances and one heat.

Substances go into a flask of four measures one by one; heat is changed by steps; after each step one reaction takes
place if two substances that react are there at their heat: one measure of each becomes two of something else, so that
measures are conserved. Two raws give tincture, tincture and a third raw give elixir; another pair gives dross, which is
a dead end. A bottle is worth its elixir less all else in it. Hidden: which substances react, at which heat, or
both. It asks for trying one thing at a time where a slip costs a batch, and for planning a chain backwards.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, product
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

_RAWS = ("salt", "ash", "oil", "lye")
_KINDS = (*_RAWS, "tincture", "elixir", "dross")
_TINCTURE, _ELIXIR, _DROSS = 4, 5, 6
_HEATS = ("cold", "mild", "hot")
_ROOM = 4
_NOTHING = (0,) * len(_KINDS)
# Where tincture and elixir are made: at one heat both would run by themselves.
_RUNS = [(base, finish) for base in range(3) for finish in range(3) if base != finish]

_Recipe = tuple[int, int, int, int]
"""Two kinds, the heat, the kind that both become."""


@dataclass(frozen=True, eq=False, slots=True)
class AlchemyLevel:
    """A level: its recipes (tincture, elixir, then those of dross) and how hot the flask is at the start."""

    recipes: tuple[_Recipe, ...]
    start: int


class AlchemyState(NamedTuple):
    """Measures of each kind in the flask, and its heat."""

    flask: tuple[int, ...]
    heat: int


class AlchemyView(NamedTuple):
    """What is seen. ``book`` has a recipe a line; what is torn off or washed out of it is None."""

    flask: tuple[int, ...]
    heat: int
    book: tuple[tuple[int | None, int | None, int | None, int], ...]


_NUMBER = {name: number for number, name in enumerate(_RAWS)}


class AlchemyDynamics(Dynamics[AlchemyLevel, AlchemyState]):
    """Add, heat, cool, stir or bottle; then one reaction."""

    actions: ActionSchema = ActionSchema(
        (
            ActionKind("add", "put a measure into the {flask}, if there is room", (Choice("substance", _RAWS),)),
            ActionKind("heat", "change how hot the {flask} is, by a step"),
            ActionKind("cool", "change it the other way, by a step"),
            ActionKind("stir", "leave all as it is for a step"),
            ActionKind("bottle", "take all that is in the {flask}, which is then empty"),
        )
    )
    events: Mapping[str, str] = {
        "worth": "elixir in a bottle, less all else in it, where that is above 0",
        "perfect": "a bottle full of elixir and nothing else",
    }

    def load(self, data: Mapping[str, Any]) -> AlchemyLevel:
        """A level of ``recipes`` (kind, kind, heat, kind; numbers) and ``start``."""
        try:
            recipes = tuple((r[0], r[1], r[2], r[3]) for r in data["recipes"])
            level = AlchemyLevel(recipes, data["start"])
        except (KeyError, IndexError) as error:
            raise UsageError(f"An alchemy level needs recipes of four numbers and a start: {error}.") from None
        if level.start not in range(3) or not all(h in range(3) and a != b for a, b, h, _ in recipes):
            raise UsageError(f"An alchemy level has heats from 0 to 2, and recipes of two kinds, not {dict(data)}.")
        return level

    def init(self, params: AlchemyLevel, key: Key) -> AlchemyState:
        """An empty flask."""
        return AlchemyState(_NOTHING, params.start)

    def step(self, params: AlchemyLevel, state: AlchemyState, action: Action, key: Key) -> Transition[AlchemyState]:
        """Act, then react."""
        flask, heat = state
        events: tuple[Event, ...] = ()
        name = action.name
        if name == "add":
            if sum(flask) < _ROOM:
                kind = _NUMBER[action.values[0]]  # type: ignore[index]  # the schema has checked it
                flask = (*flask[:kind], flask[kind] + 1, *flask[kind + 1 :])
        elif name == "heat":
            heat = min(heat + 1, 2)
        elif name == "cool":
            heat = max(heat - 1, 0)
        elif name == "bottle":
            worth = 2 * flask[_ELIXIR] - sum(flask)
            if worth > 0:
                events = (Event("worth", float(worth)),)
                if worth == _ROOM:
                    events = (*events, Event("perfect"))
            flask = _NOTHING
        for one, other, when, makes in params.recipes:
            if when == heat and flask[one] and flask[other]:
                measures = list(flask)
                measures[one] -= 1
                measures[other] -= 1
                measures[makes] += 2
                flask = tuple(measures)
                break
        return Transition(AlchemyState(flask, heat), events, False)

    def limits(self, params: AlchemyLevel, horizon: int) -> Mapping[str, float]:
        """A bottle takes four measures and a step to fill it: at most 4 in 5 steps."""
        return {"worth": horizon * _ROOM / (_ROOM + 1), "perfect": horizon / (_ROOM + 1)}


class AlchemyGenerator(Generator):
    """Books in which a chain leads to elixir and some pairs to dross."""

    version: int = 1
    presets: Mapping[str, Preset] = {
        "bench": Preset("bench", "one pair gives dross", {"fouls": 1}),
        "cellar": Preset("cellar", "two pairs give dross", {"fouls": 2}),
    }

    def draw(self, settings: Mapping[str, Any], rng: np.random.Generator) -> dict[str, Any]:
        """A book and a heat to start at."""
        a, b, c = (int(kind) for kind in rng.permutation(len(_RAWS))[:3])
        a, b = sorted((a, b))
        base, finish = _RUNS[int(rng.integers(len(_RUNS)))]
        others = [pair for pair in combinations(range(len(_RAWS)), 2) if pair != (a, b)]
        fouls = sorted(int(n) for n in rng.permutation(len(others))[: settings["fouls"]])
        recipes = [[a, b, base, _TINCTURE], [_TINCTURE, c, finish, _ELIXIR]]
        recipes += [[*others[n], int(rng.integers(3)), _DROSS] for n in fouls]
        return {"recipes": recipes, "start": int(rng.integers(3))}

    def alternatives(
        self, settings: Mapping[str, Any], params: Mapping[str, Any], observation: str
    ) -> Sequence[tuple[float, Mapping[str, Any]]] | None:
        """Every book that the torn or washed one may have been; None where both are gone: there are too many."""
        recipes = params["recipes"]
        if observation == "full":
            return ((1.0, params),)
        if observation == "blank":
            return None
        pairs = _PAIRS[len(recipes)] if observation == "washed" else [[(r[0], r[1]) for r in recipes]]
        fouls = [r[2] for r in recipes[2:]]
        heats = [[*run, *fouls] for run in _RUNS] if observation == "torn" else [[r[2] for r in recipes]]
        books = [
            [[*pair, heat, made[3]] for pair, heat, made in zip(some, at, recipes, strict=True)]
            for some in pairs
            for at in heats
        ]
        return tuple((1 / len(books), {**params, "recipes": book}) for book in books)


def _shapes(recipes: int) -> list[list[tuple[int, int]]]:
    """What may react with what: the pair of tincture, tincture and a third, then pairs of dross in order."""
    raws = range(len(_RAWS))
    return [
        [base, (_TINCTURE, third), *fouls]
        for base in combinations(raws, 2)
        for third in raws
        if third not in base
        for fouls in combinations([pair for pair in combinations(raws, 2) if pair != base], recipes - 2)
    ]


_PAIRS = {recipes: _shapes(recipes) for recipes in (3, 4)}
_HEATINGS = {
    recipes: [[*run, *fouls] for run in _RUNS for fouls in product(range(3), repeat=recipes - 2)] for recipes in (3, 4)
}


class _Look(Observation[AlchemyLevel, AlchemyState, AlchemyView]):
    """The flask, its heat, and as much of the book as there is."""

    def __init__(self, name: str, *, pairs: bool, heats: bool) -> None:
        self.name = name
        self.kind = "full" if pairs and heats else "partial"
        self._pairs, self._heats = pairs, heats

    def observe(self, params: AlchemyLevel, state: AlchemyState, events: Sequence[Event]) -> AlchemyView:
        """Flask, heat, book."""
        flask, heat = state
        if self._pairs and self._heats:
            return AlchemyView(flask, heat, params.recipes)
        if self._pairs:
            torn = [(a, b, None, made) for a, b, _, made in params.recipes[:2]]
            return AlchemyView(flask, heat, (*torn, *params.recipes[2:]))
        if self._heats:
            return AlchemyView(flask, heat, tuple([(None, None, at, made) for _, _, at, made in params.recipes]))
        return AlchemyView(flask, heat, tuple([(None, None, None, made) for _, _, _, made in params.recipes]))


class AlchemySkin(Skin[AlchemyView]):
    """A flask and a book."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        super().__init__(vocabulary)
        self._kinds = [vocabulary[kind] for kind in _KINDS]
        self._heats = [vocabulary[heat] for heat in _HEATS]

    def setting(self) -> str:
        """The bench."""
        return self.vocabulary.fill(
            "You work at a bench with a {flask} that takes four measures, and as much {salt}, {ash}, {oil} and {lye} "
            "as you like. The {flask} is {cold}, {mild} or {hot}. A book tells what reacts with what, what it becomes, "
            "and how hot the {flask} has to be; what cannot be read in it is shown as three dots."
        )

    def text(self, view: AlchemyView) -> str:
        """What is in the flask, how hot it is, what the book says."""
        w = self.vocabulary
        held = ", ".join(f"{n} {kind}" for n, kind in zip(view.flask, self._kinds, strict=True) if n)
        text = f"The {w['flask']} is {self._heats[view.heat]} and holds {held or 'nothing'}. The book says:"
        for a, b, heat, made in view.book:
            pair = "... + ..." if a is None or b is None else f"{self._kinds[a]} + {self._kinds[b]}"
            text += f"\n{pair} -> {self._kinds[made]}, {'...' if heat is None else self._heats[heat]}"
        return text

    def picture(self, view: AlchemyView) -> str:
        """The flask, a letter a measure, on a flame of as many bars as it is hot."""
        letters = "".join(kind[0] * n for n, kind in zip(view.flask, self._kinds, strict=True)).ljust(_ROOM)
        return f" | |  \n/{letters}\\\n------\n{'^' * (2 * view.heat + 2)}"

    def colours(self) -> Mapping[str, tuple[int, int, int]]:
        """Flames are red."""
        return {"^": (235, 120, 90), "|": (200, 220, 235), "/": (200, 220, 235), "\\": (200, 220, 235)}


def _potential(params: AlchemyLevel, state: AlchemyState, reward: Reward) -> float:
    """What a glance at the flask tells: elixir is best, tincture may become it, raws of no use are in the way."""
    flask = state.flask
    tincture, elixir = flask[_TINCTURE], flask[_ELIXIR]
    # Each tincture wants a measure of another substance beside it.
    usable = min(tincture, (_ROOM - elixir) // 2)
    rest = sum(flask) - usable - elixir
    worth = 0.85 * elixir + 0.65 * usable - 0.1 * max(0, rest - (usable or 2)) - 0.6 * flask[_DROSS]
    return worth + 0.2 if reward.kind == "accumulative" else 0.5 + worth / 10


class AlchemyPlayer:
    """Keeps the books that fit all it has seen, believes the first, and takes the shortest way to a full bottle."""

    def __init__(self, world: World) -> None:
        self._books: list[AlchemyLevel] | None = None
        self._dynamics = AlchemyDynamics()
        self._last: tuple[AlchemyState, Action] | None = None
        self._plan: deque[Action] = deque()

    def act(self, view: AlchemyView, reward: float, key: Key) -> Action:
        """The plan's next step; a new plan when the book that it rests on is refuted."""
        here = AlchemyState(view.flask, view.heat)
        if self._books is None:
            self._books = _books(view)
        if self._last is not None:
            before, action = self._last
            step = self._dynamics.step
            believed = self._books[0]
            fitting = [book for book in self._books if step(book, before, action, STILL).state == here]
            self._books = fitting or self._books
            if self._books[0] is not believed:
                self._plan.clear()
        if not self._plan:
            self._plan = deque(self._way(here))
        action = self._plan.popleft()
        self._last = (here, action)
        return action

    def _way(self, here: AlchemyState) -> list[Action]:
        assert self._books
        book, step = self._books[0], self._dynamics.step
        queue: deque[tuple[AlchemyState, tuple[Action, ...]]] = deque([(here, ())])
        seen = {here}
        while queue:
            state, path = queue.popleft()
            for action in self._dynamics.actions.all:
                after, events, _ = step(book, state, action, STILL)
                if len(events) == 2:
                    return [*path, action]
                if after not in seen:
                    seen.add(after)
                    queue.append((after, (*path, action)))
        return [Action("bottle")]


def _books(view: AlchemyView) -> list[AlchemyLevel]:
    """All books that what can be read of one leaves open."""
    found = []
    for pairs in _PAIRS[len(view.book)]:
        if not all(entry[0] is None or entry[:2] == pair for entry, pair in zip(view.book, pairs, strict=True)):
            continue
        for heats in _HEATINGS[len(view.book)]:
            if all(entry[2] in (None, heat) for entry, heat in zip(view.book, heats, strict=True)):
                recipes = zip(pairs, heats, view.book, strict=True)
                found.append(AlchemyLevel(tuple((*pair, heat, entry[3]) for pair, heat, entry in recipes), view.heat))
    return found


CORE = Core(
    name="alchemy",
    summary="Chemistry by trial: a chain of reactions with heats that may be hidden, and dead ends.",
    dynamics=AlchemyDynamics(),
    generator=AlchemyGenerator(),
    rewards=by_name(
        [
            Pays(
                "binary", "binary", "{bottle} four measures of {elixir} and nothing else: that pays 1 and ends it.",
                {"perfect": 1.0}, frozenset({"perfect"}),
            ),
            Pays(
                "accumulative", "accumulative",
                "When you {bottle}, each measure of {elixir} pays 1 and each of anything else takes 1 off, down to 0.",
                {"worth": 1.0},
            ),
        ]
    ),
    observations=by_name(
        [
            _Look("full", pairs=True, heats=True),
            _Look("torn", pairs=True, heats=False),
            _Look("washed", pairs=False, heats=True),
            _Look("blank", pairs=False, heats=False),
        ]
    ),
    skins=skins(
        AlchemySkin,
        Vocabulary("plain", "aligned", {}),
        Vocabulary(
            "inverse", "inverse",
            {"heat": "cool", "cool": "heat", "elixir": "dross", "dross": "elixir"},
        ),
        Vocabulary(
            "symbols", "abstract",
            {
                "add": "P", "substance": "x", "heat": "Q", "cool": "R", "stir": "S", "bottle": "T", "flask": "F",
                "salt": "a", "ash": "b", "oil": "c", "lye": "d", "tincture": "e", "elixir": "f", "dross": "g",
                "cold": "k", "mild": "m", "hot": "n",
            },
        ),
        Vocabulary(
            "kitchen", "other",
            {
                "flask": "pot", "salt": "flour", "ash": "butter", "oil": "milk", "lye": "sugar", "tincture": "dough",
                "elixir": "cake", "dross": "soot", "stir": "rest", "bottle": "serve",
            },
        ),
    ),
    potential=_potential,
    player=AlchemyPlayer,
)  # fmt: skip
