"""Cards: pairs are to be found on a table of closed cards, and which pictures go together is a rule to be found out.

Each picture is there once: a shape in one of two colours. A card's partner has the other colour and the shape that the
level's rule gives, never all of them the same shape. Two cards turned one after the other go if they are partners, and
are closed again if not; an ineffective turn (a card that is gone, or up already) is a turn all the same. In the preset
``open`` one colour lies open, and misses use up patience. Hidden are the cards' faces and the rule. It asks for memory,
for inferring a bijection from few examples, and for choosing what to look at. Deterministic. Batched.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import permutations
from typing import TYPE_CHECKING, Any, NamedTuple

from ....suite.errors import UsageError
from ..actions import Action, ActionKind, ActionSchema, Integer
from ..core import Core, by_name, skins
from ..dynamics import BatchStep, Dynamics, Event, Transition
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

_COLOURS = ("red", "blue")
_SHAPES = ("sun", "moon", "star", "tree", "fish", "bird", "leaf", "bell")
_MOST_CARDS = 16
_CLOSED, _GONE, _NONE = -2, -3, -1

_Rule = tuple[int, int]
"""Turn (1 or -1) and shift: red shape s goes with blue shape (turn * s + shift) modulo the number of shapes."""


def _rules(shapes: int) -> list[_Rule]:
    """All rules but the one that pairs equal shapes. With two shapes or fewer turning changes nothing."""
    return [(turn, shift) for turn in ((1, -1) if shapes > 2 else (1,)) for shift in range(shapes)][1:]


def _partner(picture: int, rule: _Rule, shapes: int) -> int:
    """The picture that goes with a picture; pictures are numbered colour * shapes + shape."""
    turn, shift = rule
    shape = picture % shapes
    if picture < shapes:
        return shapes + (turn * shape + shift) % shapes
    return (turn * (shape - shift)) % shapes


@dataclass(frozen=True, eq=False, slots=True)
class CardsLevel:
    """A level.

    Attributes:
        shapes: How many; there are twice as many cards.
        pictures: By card.
        partner: By card, the card that goes with it.
        rule: Which pictures go together.
        known: For each card, whether it lies open from the start.
        patience: How many misses end the episode; 0: none do.
    """

    shapes: int
    pictures: tuple[int, ...]
    partner: tuple[int, ...]
    rule: _Rule
    known: tuple[bool, ...]
    patience: int


class CardsState(NamedTuple):
    """Bits of the cards that are gone, the card that is up (-1: none), the last one turned and its picture, misses."""

    gone: int
    up: int
    last: int
    picture: int
    misses: int


class CardsView(NamedTuple):
    """What is seen.

    ``faces`` has a picture for each card, -2 where it is closed, -3 where it is gone. ``rule`` lists the blue shape for
    each red one, or is None where hidden. ``patience`` is None where it is without end.
    """

    faces: tuple[int, ...]
    up: int
    last: int
    picture: int
    patience: int | None
    rule: tuple[int, ...] | None


class CardsDynamics(Dynamics[CardsLevel, CardsState]):
    """Turn cards."""

    actions: ActionSchema = ActionSchema((ActionKind("turn", "turn a {card}", (Integer("number", 1, _MOST_CARDS),)),))
    events: Mapping[str, str] = {
        "paired": "pairs found",
        "cleared": "the last pair is found",
        "missed": "two cards turned that are no pair",
    }

    def load(self, data: Mapping[str, Any]) -> CardsLevel:
        """A level: ``shapes``, ``pictures``, ``turn``, ``shift``, ``open`` (whether red lies open), ``patience``."""
        try:
            shapes, pictures, rule = data["shapes"], tuple(data["pictures"]), (data["turn"], data["shift"])
            shown, patience = data["open"], data["patience"]
        except KeyError as error:
            raise UsageError(f"A level of cards needs {error}.") from None
        if sorted(pictures) != list(range(2 * shapes)) or len(pictures) > _MOST_CARDS or shapes > len(_SHAPES):
            raise UsageError(f"A level of cards has each of its pictures once, not {pictures}.")
        if rule not in _rules(shapes):
            raise UsageError(f"A level of cards has a rule such as {_rules(shapes)[0]}, not {rule}.")
        place = {picture: card for card, picture in enumerate(pictures)}
        return CardsLevel(
            shapes,
            pictures,
            tuple(place[_partner(picture, rule, shapes)] for picture in pictures),
            rule,
            tuple(shown and picture < shapes for picture in pictures),
            patience,
        )

    def init(self, params: CardsLevel, key: Key) -> CardsState:
        """All cards there, none up."""
        return CardsState(0, _NONE, _NONE, _NONE, 0)

    def step(self, params: CardsLevel, state: CardsState, action: Action, key: Key) -> Transition[CardsState]:
        """Turn a card: the first of two, or the second."""
        gone, up, _, _, misses = state
        card: int = action.values[0] - 1  # type: ignore[operator, assignment]  # a whole number, as the schema has checked
        count = len(params.pictures)
        if card >= count or gone >> card & 1 or card == up:
            return Transition(state)
        picture = params.pictures[card]
        if up == _NONE:
            return Transition(CardsState(gone, card, card, picture, misses))
        if params.partner[up] == card:
            gone |= 1 << up | 1 << card
            after = CardsState(gone, _NONE, card, picture, misses)
            if gone == (1 << count) - 1:
                return Transition(after, (Event("paired"), Event("cleared")), True)
            return Transition(after, (Event("paired"),))
        if params.patience:
            misses += 1
        after = CardsState(gone, _NONE, card, picture, misses)
        return Transition(after, (Event("missed"),), params.patience > 0 and misses >= params.patience)

    def limits(self, params: CardsLevel, horizon: int) -> Mapping[str, float]:
        """Each pair once."""
        return {"paired": params.shapes, "cleared": 1, "missed": params.patience or horizon / 2}

    # Batched: the same in arrays, levels stacked.

    def init_batch(self, params: Sequence[CardsLevel], keys: NDArray[np.uint64]) -> _Rows:
        """Stack levels, all cards there."""
        import numpy as np

        rows = len(params)
        pictures = np.full((rows, _MOST_CARDS), _NONE)
        partner = np.full((rows, _MOST_CARDS), _NONE)
        for row, p in enumerate(params):
            pictures[row, : len(p.pictures)] = p.pictures
            partner[row, : len(p.partner)] = p.partner
        none = np.full(rows, _NONE)
        count = np.array([len(p.pictures) for p in params])
        stack = _Stack(
            np.arange(rows) * _MOST_CARDS,
            pictures.ravel(),
            partner.ravel(),
            count,
            (1 << count) - 1,
            np.array([p.patience for p in params]),
        )
        return _Rows(np.zeros(rows, dtype=np.int64), none, none, none, np.zeros(rows, dtype=np.int64), stack)

    def step_batch(self, states: _Rows, actions: NDArray[np.int64], keys: NDArray[np.uint64]) -> BatchStep[_Rows]:
        """Turn a card in every row; action n turns card n, -1 none."""
        import numpy as np

        gone, up, last, picture, misses, level = states
        card = np.maximum(actions, 0)
        acts = (actions >= 0) & (card < level.cards) & ((gone >> card & 1) == 0) & (card != up)
        second = acts & (up != _NONE)
        # Cards that are not there are looked up at the row's first place, and not used.
        paired = second & (level.partner[level.offset + np.maximum(up, 0)] == card)
        missed = second & ~paired
        gone = np.where(paired, gone | 1 << np.maximum(up, 0) | 1 << card, gone)
        misses = misses + (missed & (level.patience > 0))
        cleared = paired & (gone == level.all)
        amounts = np.stack([paired, cleared, missed], axis=1).astype(float)
        over = cleared | (missed & (level.patience > 0) & (misses >= level.patience))
        after = _Rows(
            gone,
            np.where(second, _NONE, np.where(acts, card, up)),
            np.where(acts, card, last),
            np.where(acts, level.pictures[level.offset + card], picture),
            misses,
            level,
        )
        return BatchStep(after, amounts, over)

    def row(self, states: _Rows, index: int) -> CardsState:
        """One row as a scalar state."""
        return CardsState(*(int(part[index]) for part in states[:5]))

    def select(self, use: NDArray[np.bool_], new: _Rows, old: _Rows) -> _Rows:
        """Rows of ``new`` where ``use`` is true, else of ``old``."""
        import numpy as np

        return _Rows(*(np.where(use, a, b) for a, b in zip(new[:5], old[:5], strict=True)), new.level)  # type: ignore[arg-type]  # five arrays


class _Stack(NamedTuple):
    """What is fixed in the levels of a batch; pictures and partners are flat, a row's begin at its offset."""

    offset: NDArray[np.int64]
    pictures: NDArray[np.int64]
    partner: NDArray[np.int64]
    cards: NDArray[np.int64]
    all: NDArray[np.int64]
    patience: NDArray[np.int64]


class _Rows(NamedTuple):
    """States of a batch."""

    gone: NDArray[np.int64]
    up: NDArray[np.int64]
    last: NDArray[np.int64]
    picture: NDArray[np.int64]
    misses: NDArray[np.int64]
    level: _Stack


class CardsGenerator(Generator):
    """Shuffled cards and a random rule: every level can be cleared."""

    version: int = 1
    presets: Mapping[str, Preset] = {
        "table": Preset("table", "16 closed cards, patience without end", {"shapes": 8, "open": False, "patience": 0}),
        "open": Preset("open", "3 open and 3 closed cards, 2 misses", {"shapes": 3, "open": True, "patience": 2}),
    }

    def draw(self, settings: Mapping[str, Any], rng: np.random.Generator) -> dict[str, Any]:
        """Pictures and a rule."""
        shapes = settings["shapes"]
        pictures = rng.permutation(2 * shapes)
        rules = _rules(shapes)
        turn, shift = rules[int(rng.integers(len(rules)))]
        return {
            "shapes": shapes,
            "pictures": [int(picture) for picture in pictures],
            "turn": turn,
            "shift": shift,
            "open": settings["open"],
            "patience": settings["patience"],
        }

    def alternatives(
        self, settings: Mapping[str, Any], params: Mapping[str, Any], observation: str
    ) -> Sequence[tuple[float, Mapping[str, Any]]] | None:
        """Every order of the closed cards under every rule, where one colour lies open; None where none does."""
        if observation == "full":
            return ((1.0, params),)
        if not settings["open"]:
            return None
        shapes = settings["shapes"]
        others = []
        for order in permutations(range(shapes, 2 * shapes)):
            blue = iter(order)
            pictures = [picture if picture < shapes else next(blue) for picture in params["pictures"]]
            others += [{**params, "pictures": pictures, "turn": turn, "shift": shift} for turn, shift in _rules(shapes)]
        return tuple((1 / len(others), other) for other in others)


class _Sight(Observation[CardsLevel, CardsState, CardsView]):
    """Sees the cards that are up, or all cards and the rule."""

    def __init__(self, name: str, *, everything: bool) -> None:
        self.name = name
        self.kind = "full" if everything else "partial"
        self._everything = everything

    def observe(self, params: CardsLevel, state: CardsState, events: Sequence[Event]) -> CardsView:
        """Faces, the last card turned, patience, and the rule if it is told."""
        gone, up, last, picture, misses = state
        everything = self._everything
        faces = tuple(
            [
                _GONE if gone >> card & 1 else face if everything or known or card in (up, last) else _CLOSED
                for card, (face, known) in enumerate(zip(params.pictures, params.known, strict=True))
            ]
        )
        patience = params.patience - misses if params.patience else None
        return CardsView(faces, up, last, picture, patience, _told(params.shapes, params.rule) if everything else None)


@lru_cache(maxsize=64)
def _told(shapes: int, rule: _Rule) -> tuple[int, ...]:
    return tuple(_partner(picture, rule, shapes) - shapes for picture in range(shapes))


_ROW = 4


class CardsSkin(Skin[CardsView]):
    """The cards in a row of four each, in letters, with a legend; what was turned last in words."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        super().__init__(vocabulary)
        self._words: dict[int, list[str]] = {
            shapes: [f"{vocabulary[colour]} {vocabulary[shape]}" for colour in _COLOURS for shape in _SHAPES[:shapes]]
            for shapes in range(1, len(_SHAPES) + 1)
        }

    def setting(self) -> str:
        """What lies there."""
        return self.vocabulary.fill(
            "On a table lie {card}s, numbered from 1. Each shows a shape in one of two colours, and no two show the "
            "same. You turn one {card} and then another: if both belong together they are {gone}, else they are "
            "{closed} again. In what way they belong together is not told."
        )

    def text(self, view: CardsView) -> str:
        """Every card, then what was turned last."""
        w = self.vocabulary
        shapes = len(view.faces) // 2
        words = self._words[shapes]
        closed, gone = w["closed"], w["gone"]
        shown = [
            f"{number} {words[face] if face >= 0 else closed if face == _CLOSED else gone}"
            for number, face in enumerate(view.faces, 1)
        ]
        lines = ["; ".join(shown[at : at + _ROW]) for at in range(0, len(shown), _ROW)]
        if view.last != _NONE:
            up = f"; {view.up + 1} is still up" if view.up != _NONE else ""
            lines.append(f"Last turned: {view.last + 1} {words[view.picture]}{up}.")
        if view.patience is not None:
            lines.append(f"{w['patience']}: {view.patience} misses.")
        if view.rule is not None:
            pairs = ", ".join(f"{words[red]} with {words[shapes + blue]}" for red, blue in enumerate(view.rule))
            lines.append(f"Together belong {pairs}.")
        return "\n".join(lines)

    def picture(self, view: CardsView) -> str:
        """One letter a card: the shape's number in the alphabet, capital for the first colour."""
        shapes = len(view.faces) // 2
        letters = "".join(
            "#" if face == _CLOSED else "." if face == _GONE else chr((65 if face < shapes else 97) + face % shapes)
            for face in view.faces
        )
        return "\n".join(letters[at : at + _ROW] for at in range(0, len(letters), _ROW))

    def colours(self) -> Mapping[str, tuple[int, int, int]]:
        """Capitals reddish, small letters bluish."""
        return {
            "#": (110, 110, 120),
            **{chr(65 + n): (235, 150, 130) for n in range(len(_SHAPES))},
            **{chr(97 + n): (140, 175, 235) for n in range(len(_SHAPES))},
        }


def _potential(params: CardsLevel, state: CardsState, reward: Reward) -> float:
    """Pairs found, a card that is up, and patience left."""
    found = state.gone.bit_count() / 2 + (0.5 if state.up != _NONE else 0.0)
    left = 1 - state.misses / params.patience if params.patience else 1.0
    if reward.kind == "binary":
        return (found + left) / (params.shapes + 2)
    return (0.5 if state.up != _NONE else 0.0) + 0.2 * left


class CardsPlayer:
    """Forgets nothing, keeps the rules that fit, and turns what most likely finds a pair or tells most.

    With every picture remembered, what is left of the game is when to try a likely pair and when to look at another
    card (Zwick and Paterson 1993, Theor. Comput. Sci. 110, treat the game with a known rule).
    """

    curious = 0.05
    """How much the look at a new card is worth, as a chance of finding a pair."""

    def __init__(self, world: World) -> None:
        self._faces: dict[int, int] = {}
        self._rules: list[_Rule] = []
        self._last: tuple[int, int] | None = None
        self._gone = 0

    def act(self, view: CardsView, reward: float, key: Key) -> Action:
        """Learn from the last pair, then choose a card."""
        shapes = len(view.faces) // 2
        if not self._rules:
            self._rules = _rules(shapes) if view.rule is None else [_rule_of(view.rule, shapes)]
        for card, face in enumerate(view.faces):
            if face >= 0:
                self._faces[card] = face
        if view.last != _NONE:
            self._faces[view.last] = view.picture
        gone = sum(face == _GONE for face in view.faces)
        if self._last is not None:
            first, second = (self._faces[card] for card in self._last)
            paired = gone > self._gone
            self._rules = [rule for rule in self._rules if (_partner(first, rule, shapes) == second) == paired]
        self._gone = gone
        there = [card for card, face in enumerate(view.faces) if face != _GONE]
        unseen = [card for card in there if card not in self._faces]
        if view.up != _NONE:
            chances = self._chances(view.up, there, unseen, shapes)
            choice = max(chances, key=lambda card: (chances[card], key.uniform(card)))
            self._last = (view.up, choice)
            return Action("turn", (choice + 1,))
        self._last = None
        pairs = [
            (self._chance(self._faces[a], self._faces[b], shapes), a)
            for a in there
            for b in there
            if a < b and a in self._faces and b in self._faces
        ]
        best = max(pairs, default=(0.0, _NONE))
        # A look costs nothing but a turn; where misses count, a pair as likely as one with a new card comes first.
        enough = 1.0 if view.patience is None or not unseen else self._hope(there, shapes)
        if unseen and best[0] < enough:
            choice = unseen[key.integer(len(unseen))]
        elif best[0] > 0:
            choice = best[1]
        else:
            choice = there[key.integer(len(there))]
        return Action("turn", (choice + 1,))

    def _chance(self, first: int, second: int, shapes: int) -> float:
        return sum(_partner(first, rule, shapes) == second for rule in self._rules) / len(self._rules)

    def _hope(self, there: list[int], shapes: int) -> float:
        """The mean chance to find the partner of a card that nobody has seen, among those seen."""
        seen = [self._faces[card] for card in there if card in self._faces]
        new = set(range(2 * shapes)) - set(self._faces.values())
        best = [max((self._chance(picture, other, shapes) for other in seen), default=0.0) for picture in new]
        return sum(best) / len(best)

    def _chances(self, up: int, there: list[int], unseen: list[int], shapes: int) -> dict[int, float]:
        """For each other card, the chance that it is the partner of the one that is up, and what looking is worth."""
        own = self._faces[up]
        chances = {
            card: self._chance(own, self._faces[card], shapes) for card in there if card != up and card in self._faces
        }
        rest = max(0.0, 1 - sum(chances.values()))
        for card in unseen:
            if card != up:
                chances[card] = rest / len(unseen) + self.curious
        return chances


def _rule_of(told: tuple[int, ...], shapes: int) -> _Rule:
    return next(rule for rule in _rules(shapes) if _told(shapes, rule) == told)


CORE = Core(
    name="cards",
    summary="Pairs of cards whose pictures go together by a hidden bijection: memory and inference.",
    dynamics=CardsDynamics(),
    generator=CardsGenerator(),
    rewards=by_name(
        [
            Pays(
                "binary", "binary", "When the last {card}s are {gone}, that pays 1.",
                {"cleared": 1.0}, frozenset({"cleared"}),
            ),
            Pays("accumulative", "accumulative", "Every two {card}s that are {gone} pay 1.", {"paired": 1.0}),
        ]
    ),
    observations=by_name([_Sight("full", everything=True), _Sight("turned", everything=False)]),
    skins=skins(
        CardsSkin,
        Vocabulary("plain", "aligned", {}),
        Vocabulary("inverse", "inverse", {"closed": "gone", "gone": "closed", "red": "blue", "blue": "red"}),
        Vocabulary(
            "symbols",
            "abstract",
            {
                "turn": "T", "number": "N", "card": "K", "closed": "-", "gone": "/", "patience": "P", "red": "x",
                "blue": "y", "sun": "a", "moon": "e", "star": "i", "tree": "o", "fish": "u", "bird": "w",
                "leaf": "m", "bell": "z",
            },
        ),
        Vocabulary(
            "attic",
            "other",
            {
                "turn": "open", "card": "box", "closed": "shut", "gone": "emptied", "red": "old", "blue": "new",
                "sun": "hat", "moon": "boot", "star": "lamp", "tree": "doll", "fish": "clock", "bird": "map",
                "leaf": "fan", "bell": "cup",
            },
        ),
    ),
    potential=_potential,
    player=CardsPlayer,
)  # fmt: skip
