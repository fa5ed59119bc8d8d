"""Bargain: dividing heaps of things, one after another, with a party whose worths and temper are hidden.

The player says what it asks of a heap; the party takes the rest or refuses and names what it would leave. Refusals use
up its patience with a heap; then it takes all and the next heap comes. What it must get at least is a share of its own
worth, and how that share moves with refusals depends on its temper: it gives in by and by, hardly ever, only to who
gives in too, or takes offence at stingy offers.
Hidden: what things are worth to the party, its temper, its present demand. It asks for modelling somebody by what they
refuse and name, and for using that model on heaps that were not seen before.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import permutations, product
from typing import TYPE_CHECKING, Any, NamedTuple

from ....suite.errors import UsageError
from ..actions import Action, ActionKind, ActionSchema, Integer
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

_GOODS = ("books", "hats", "balls")
_MOST = (3, 2, 1)  # the most of each that a heap holds
_TEMPERS = ("yielding", "stubborn", "mirror", "proud")
_PATIENCE = 3  # offers that the party listens to on one heap
_TENTHS = 10
_Bundle = tuple[int, int, int]


@dataclass(frozen=True, eq=False, slots=True)
class BargainLevel:
    """A level: worths of one piece of each good, to the player and to the party; the heaps; a deal's share to win."""

    own: _Bundle
    theirs: _Bundle
    temper: str
    heaps: tuple[_Bundle, ...]
    share: int


class BargainState(NamedTuple):
    """Which heap, how many offers on it were refused, what the party demands, and what it was last offered (tenths)."""

    heap: int
    refused: int
    demand: int
    offered: int


class BargainView(NamedTuple):
    """What is seen; the party's worths, temper, and (demand, what it was last offered) are None where hidden."""

    number: int
    left: int
    heap: _Bundle
    own: _Bundle
    share: int
    refused: int
    named: _Bundle
    theirs: _Bundle | None
    temper: str | None
    demand: tuple[int, int] | None


def _worth(bundle: Sequence[int], worths: Sequence[int]) -> int:
    return bundle[0] * worths[0] + bundle[1] * worths[1] + bundle[2] * worths[2]


def _rest(heap: _Bundle, asked: _Bundle) -> _Bundle:
    return (heap[0] - asked[0], heap[1] - asked[1], heap[2] - asked[2])


@cache
def _splits(heap: _Bundle) -> tuple[_Bundle, ...]:
    """All that may be asked of a heap."""
    return tuple(product(*(range(count + 1) for count in heap)))  # type: ignore[arg-type]  # three counts each


@cache
def _naming(heap: _Bundle, theirs: _Bundle, demand: int) -> _Bundle:
    """What a party would leave: the most pieces by which it still gets two tenths above its demand.

    Of several such the one that it loses least by, then the one that comes last.
    """
    wanted = min(_TENTHS, demand + 2) * _worth(heap, theirs)
    fitting = [s for s in _splits(heap) if _TENTHS * _worth(_rest(heap, s), theirs) >= wanted]
    return max(fitting, key=lambda s: (sum(s), -_worth(s, theirs), s), default=(0, 0, 0))


class BargainDynamics(Dynamics[BargainLevel, BargainState]):
    """Offer and answer."""

    actions: ActionSchema = ActionSchema(
        (
            ActionKind(
                "ask",
                "for pieces of each; what is not there cannot be asked for, the {party} gets the rest",
                tuple(Integer(good, 0, most) for good, most in zip(_GOODS, _MOST, strict=True)),
            ),
            ActionKind("accept", "what the {party} would leave you"),
            ActionKind("leave", "this heap to the {party}"),
        )
    )
    events: Mapping[str, str] = {
        "gained": "worth, to the player, of what it got in a deal",
        "struck": "a deal that gives the player the share it wants",
        "refused": "an offer was refused",
    }

    def load(self, data: Mapping[str, Any]) -> BargainLevel:
        """A level of ``own``, ``theirs``, ``temper``, ``heaps`` and ``share``."""
        try:
            level = BargainLevel(
                tuple(data["own"]), tuple(data["theirs"]), data["temper"],
                tuple(tuple(heap) for heap in data["heaps"]), data["share"],
            )  # fmt: skip
        except KeyError as error:
            raise UsageError(f"A bargain level needs {error}.") from None
        if level.temper not in _TEMPERS or not level.heaps:
            raise UsageError(f"A bargain level has heaps and a temper of {', '.join(_TEMPERS)}, not {dict(data)}.")
        return level

    def init(self, params: BargainLevel, key: Key) -> BargainState:
        """Before the first heap."""
        return BargainState(0, 0, _START[params.temper], 0)

    def step(self, params: BargainLevel, state: BargainState, action: Action, key: Key) -> Transition[BargainState]:
        """One offer, and the answer."""
        number, refused, demand, offered = state
        heap = params.heaps[number]
        name = action.name
        if name == "leave":
            return self._next(params, number, ())
        if name == "accept":
            return self._next(params, number, self._deal(params, heap, _naming(heap, params.theirs, demand)))
        a, b, c = action.values
        asked = (min(a, heap[0]), min(b, heap[1]), min(c, heap[2]))  # type: ignore[type-var]  # three whole numbers
        total = _worth(heap, params.theirs)
        given = total - _worth(asked, params.theirs)  # type: ignore[arg-type]  # three whole numbers
        if _TENTHS * given >= demand * total:
            return self._next(params, number, self._deal(params, heap, asked))  # type: ignore[arg-type]  # as above
        refused += 1
        events = (Event("refused"),)
        tenths = _TENTHS * given // total
        temper = params.temper
        if temper == "yielding":
            demand = max(2, demand - 2)
        elif temper == "stubborn":
            demand = max(5, demand - (refused == 2))
        elif temper == "mirror":
            # It gives in to who gives in: what it is offered now against what it was offered before.
            if tenths > offered:
                demand = max(2, demand - 3)
        elif tenths <= 2:
            demand = min(8, demand + 2)
            refused += 1
        if refused >= _PATIENCE:
            return self._next(params, number, events)
        return Transition(BargainState(number, refused, demand, tenths if temper == "mirror" else 0), events)

    def limits(self, params: BargainLevel, horizon: int) -> Mapping[str, float]:
        """Each heap once."""
        return {
            "gained": sum(_worth(heap, params.own) for heap in params.heaps[:horizon]),
            "struck": len(params.heaps),
            "refused": horizon,
        }

    def _deal(self, params: BargainLevel, heap: _Bundle, got: _Bundle) -> tuple[Event, ...]:
        worth = _worth(got, params.own)
        if worth == 0:
            return ()
        gained = Event("gained", float(worth))
        if _TENTHS * worth >= params.share * _worth(heap, params.own):
            return (gained, Event("struck"))
        return (gained,)

    def _next(self, params: BargainLevel, number: int, events: tuple[Event, ...]) -> Transition[BargainState]:
        # After the last heap nothing comes: its state stays.
        last = number + 1 == len(params.heaps)
        return Transition(BargainState(number + (not last), 0, _START[params.temper], 0), events, last)


_START = {"yielding": 7, "stubborn": 6, "mirror": 7, "proud": 4}
"""What a party demands of a new heap, in tenths of its worth to it."""

_WORTHS: tuple[_Bundle, ...] = (*permutations((1, 3, 6)), *permutations((2, 3, 4)), (1, 1, 8), (1, 8, 1), (8, 1, 1))  # type: ignore[assignment]  # three each
"""What pieces may be worth, to the player and to the party."""


def _best_share(level: BargainLevel, number: int) -> int:
    """The most, in tenths of its worth to the player, that any play gets of a heap."""
    dynamics = BargainDynamics()
    heap = level.heaps[number]
    total, best = _worth(heap, level.own), 0
    start = BargainState(number, 0, _START[level.temper], 0)
    seen, waiting = {start}, [start]
    while waiting:
        state = waiting.pop()
        for action in dynamics.actions.all:
            after, events, over = dynamics.step(level, state, action, STILL)
            best = max(best, *(_TENTHS * int(e.amount) // total for e in events if e.name == "gained"), 0)
            if not over and after.heap == number and after not in seen:
                seen.add(after)
                waiting.append(after)
    return best


def _fair(level: BargainLevel) -> bool:
    """Whether the share can be had of some heaps but not of all, and never by taking what is named at first."""
    for heap in level.heaps:
        named = _naming(heap, level.theirs, _START[level.temper])
        if _TENTHS * _worth(named, level.own) >= level.share * _worth(heap, level.own):
            return False
    good = sum(_best_share(level, number) >= level.share for number in range(len(level.heaps)))
    return 1 <= good < len(level.heaps)


class BargainGenerator(Generator):
    """Heaps in which something is to be had, and a share that can be had of some of them."""

    version: int = 1
    presets: Mapping[str, Preset] = {
        "market": Preset("market", "six heaps", {"heaps": 6, "tempers": list(_TEMPERS), "shares": [6, 7]}),
        "court": Preset(
            "court",
            "three heaps, nobody who just gives in",
            {"heaps": 3, "tempers": list(_TEMPERS[1:]), "shares": [7, 8]},
        ),
    }

    def draw(self, settings: Mapping[str, Any], rng: np.random.Generator) -> dict[str, Any] | None:
        """Worths, temper, heaps, share."""
        heaps = []
        while len(heaps) < settings["heaps"]:
            heap = [int(rng.integers(0, most + 1)) for most in _MOST]
            if sum(heap) >= 3:
                heaps.append(heap)
        data = {
            "own": list(_WORTHS[int(rng.integers(len(_WORTHS)))]),
            "theirs": list(_WORTHS[int(rng.integers(len(_WORTHS)))]),
            "temper": settings["tempers"][int(rng.integers(len(settings["tempers"])))],
            "heaps": heaps,
            "share": settings["shares"][int(rng.integers(len(settings["shares"])))],
        }
        level = BargainDynamics().load(data)
        return data if _fair(level) else None

    def alternatives(
        self, settings: Mapping[str, Any], params: Mapping[str, Any], observation: str
    ) -> Sequence[tuple[float, Mapping[str, Any]]]:
        """Every party with whom this level would have been drawn."""
        if observation == "full":
            return ((1.0, params),)
        fitting = []
        for theirs in _WORTHS if observation == "guarded" else (params["theirs"],):
            for temper in settings["tempers"]:
                other = {**params, "theirs": list(theirs), "temper": temper}
                if _fair(BargainDynamics().load(other)):
                    fitting.append(other)
        return tuple((1 / len(fitting), other) for other in fitting)


class _Sight(Observation[BargainLevel, BargainState, BargainView]):
    """Sees the heap and what the party says; and what it thinks, or not."""

    def __init__(self, name: str, *, worths: bool, mind: bool) -> None:
        self.name = name
        self.kind = "full" if worths and mind else "partial"
        self._worths, self._mind = worths, mind

    def observe(self, params: BargainLevel, state: BargainState, events: Sequence[Event]) -> BargainView:
        """The heap, what was named, and what else is told."""
        number, refused, demand, offered = state
        heap = params.heaps[number]
        return BargainView(
            number,
            len(params.heaps) - number - 1,
            heap,
            params.own,
            params.share,
            refused,
            _naming(heap, params.theirs, demand),
            params.theirs if self._worths else None,
            params.temper if self._mind else None,
            (demand, offered) if self._mind else None,
        )


class BargainSkin(Skin[BargainView]):
    """A few lines."""

    def setting(self) -> str:
        """What is to be seen."""
        return self.vocabulary.fill(
            "You and a {party} divide heaps of {books}, {hats} and {balls}, one heap after another. What a piece is "
            "worth to you is told; what it is worth to the {party} differs. The {party} listens to a few offers a heap."
        )

    def _pieces(self, bundle: _Bundle) -> str:
        return ", ".join(f"{self.vocabulary[good]} {count}" for good, count in zip(_GOODS, bundle, strict=True))

    def text(self, view: BargainView) -> str:
        """Heap, worths, what the party would leave."""
        w = self.vocabulary
        text = (
            f"Heap {view.number + 1}, {view.left} to come: {self._pieces(view.heap)}\n"
            f"a piece is worth to you: {self._pieces(view.own)}; the share you want: {view.share} tenths\n"
            f"offers refused on this heap: {view.refused}; the {w['party']} would leave you {self._pieces(view.named)}"
        )
        if view.theirs is not None:
            text += f"\na piece is worth to the {w['party']}: {self._pieces(view.theirs)}"
        if view.temper is not None and view.demand is not None:
            demand, offered = view.demand
            text += f"\nit is {w[view.temper]}, demands {demand} tenths, was offered {offered}"
        return text


def _potential(params: BargainLevel, state: BargainState, reward: Reward) -> float:
    """Half of what is to come, and of the present heap the more, the less is demanded and the fewer offers are used."""
    number, refused, demand, _ = state
    hope = (_TENTHS - demand) / _TENTHS * (1 - 0.15 * refused)
    coming = params.heaps[number + 1 :]
    if reward.kind == "binary":
        return 0.05 + 0.05 * len(coming) + 0.4 * hope
    return 0.4 * sum(_worth(heap, params.own) for heap in coming) + 0.8 * hope * _worth(
        params.heaps[number], params.own
    )


class BargainPlayer:
    """Keeps all parties that fit what was seen, and asks for what is worth most, a further offer or two counted in."""

    def __init__(self, world: World) -> None:
        self._binary = world.reward.kind == "binary"
        self._dynamics = BargainDynamics()
        self._fits = {
            (theirs, temper): BargainState(0, 0, _START[temper], 0) for theirs in _WORTHS for temper in _TEMPERS
        }
        self._heaps: list[_Bundle] = []
        self._last: Action | None = None

    def act(self, view: BargainView, reward: float, key: Key) -> Action:
        """The best of accepting, leaving, and every offer."""
        self._learn(view)
        levels = {which: self._level(view, which) for which in self._fits}
        total = _worth(view.heap, view.own)
        prizes = {split: self._prize(view, split, total) for split in _splits(view.heap)}
        action, worth = Action("accept"), prizes[view.named]
        found = self._best(view, levels, self._fits, prizes, _PATIENCE - view.refused)
        if found[1] > worth + 1e-9:
            action, worth = found
        self._last = action if worth > 0 else Action("leave")
        return self._last

    def _level(self, view: BargainView, which: tuple[_Bundle, str]) -> BargainLevel:
        # One heap more than is known of, so that there is something to go on to.
        return BargainLevel(view.own, *which, (*self._heaps, view.heap), view.share)

    def _best(
        self,
        view: BargainView,
        levels: Mapping[tuple[_Bundle, str], BargainLevel],
        states: Mapping[tuple[_Bundle, str], BargainState],
        prizes: Mapping[_Bundle, float],
        depth: int,
    ) -> tuple[Action, float]:
        """The best offer and what it is worth per party; what is refused is worth what the best next offer is."""
        best, most = Action("leave"), 0.0
        answers: dict[tuple[tuple[_Bundle, str], BargainState, int], BargainState] = {}
        for asked, prize in prizes.items():
            worth, refusing = 0.0, {}
            for which, state in states.items():
                party = _worth(view.heap, which[0])
                given = party - _worth(asked, which[0])
                if _TENTHS * given >= state.demand * party:
                    worth += prize
                elif depth > 1:
                    tenths = _TENTHS * given // party
                    after = answers.get((which, state, tenths))
                    if after is None:
                        after = self._dynamics.step(levels[which], state, Action("ask", asked), STILL).state
                        answers[which, state, tenths] = after
                    if after.heap == view.number:
                        refusing[which] = after
            if refusing and worth + len(refusing) * max(prizes.values()) > most * len(states):
                worth += self._best(view, levels, refusing, prizes, depth - 1)[1] * len(refusing)
            if worth / len(states) > most + 1e-9:
                best, most = Action("ask", asked), worth / len(states)
        return best, most

    def _prize(self, view: BargainView, got: _Bundle, total: int) -> float:
        worth = _worth(got, view.own)
        return float(_TENTHS * worth >= view.share * total) if self._binary else worth

    def _learn(self, view: BargainView) -> None:
        if len(self._heaps) <= view.number:
            self._heaps.append(view.heap)
        fits = {}
        for which, before in self._fits.items():
            after = before
            if self._last is not None:
                after = self._dynamics.step(self._level(view, which), before, self._last, STILL).state
            seen = (after.heap, after.refused, _naming(view.heap, which[0], after.demand))
            told = view.theirs in (None, which[0]) and view.temper in (None, which[1])
            if told and seen == (view.number, view.refused, view.named):
                fits[which] = after
        self._fits = fits or {which: BargainState(view.number, view.refused, 5, 0) for which in self._fits}


CORE = Core(
    name="bargain",
    summary="Dividing heaps with a party whose worths and temper may be hidden.",
    dynamics=BargainDynamics(),
    generator=BargainGenerator(),
    rewards=by_name(
        [
            Pays(
                "binary", "binary", "One deal in which you get the share you want pays 1.",
                {"struck": 1.0}, frozenset({"struck"}),
            ),
            Pays("accumulative", "accumulative", "A deal pays what your pieces are worth to you.", {"gained": 1.0}),
        ]
    ),
    observations=by_name(
        [
            _Sight("full", worths=True, mind=True),
            _Sight("worths", worths=True, mind=False),
            _Sight("guarded", worths=False, mind=False),
        ]
    ),
    skins=skins(
        BargainSkin,
        Vocabulary("plain", "aligned", {}),
        Vocabulary(
            "inverse", "inverse",
            {"ask": "give", "accept": "reject", "leave": "seize", "party": "servant", "yielding": "hard",
             "stubborn": "soft", "proud": "humble"},
        ),
        Vocabulary(
            "symbols", "abstract",
            {
                "ask": "A", "accept": "B", "leave": "C", "books": "x", "hats": "y", "balls": "z",
                "party": "P", "yielding": "q1", "stubborn": "q2", "mirror": "q3", "proud": "q4",
            },
        ),
        Vocabulary(
            "salvage", "other",
            {"books": "coils", "hats": "valves", "balls": "cores", "party": "broker", "ask": "claim"},
        ),
    ),
    potential=_potential,
    player=BargainPlayer,
)  # fmt: skip
