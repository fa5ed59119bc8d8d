"""Outbreak: a sickness runs along the roads between six towns, and may be treated, cut off, or looked for.

What happens: each step, after the action, every town that is well falls sick with a chance that grows with its sick
neighbours along open roads. Treating heals one town, which may fall sick again; a few roads may be closed, for good;
testing tells of a town and its neighbours. What is hidden: the chance, and which towns are sick unless they were just
tested. What it asks for: acting under chance, spending the few closures where they cut most, and keeping track of what
was seen and what may have changed since. Stochastic; all outcomes are listed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from ....suite.errors import UsageError
from ..actions import Action, ActionKind, ActionSchema, Integer
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

_TOWNS = 6
_MOST_ROADS = 8


@dataclass(frozen=True, eq=False, slots=True)
class OutbreakLevel:
    """A level. Towns and roads are numbered from 0 here, from 1 for the player.

    Attributes:
        roads: Pairs of towns.
        seeds: The towns that are sick at first, as bits.
        percent: How likely a sick town infects a neighbour in a step.
        closures: How many roads may be closed.
        beside: For each town its roads: the road's bit and the neighbour's bit.
        hoods: For each town itself and its neighbours, as bits.
        catches: The chance to fall sick, by number of sick neighbours.
    """

    roads: tuple[tuple[int, int], ...]
    seeds: int
    percent: int
    closures: int
    beside: tuple[tuple[tuple[int, int], ...], ...]
    hoods: tuple[int, ...]
    catches: tuple[float, ...]


class OutbreakState(NamedTuple):
    """The sick towns and the closed roads, both as bits."""

    sick: int
    closed: int


class OutbreakView(NamedTuple):
    """What is seen.

    Attributes:
        sick: For each town whether it is sick; None where that is not seen.
        roads: Pairs of towns, from 0, and whether the road is open.
        closures: How many roads may still be closed.
        treated: The town that was just treated, from 1, negative if it was well; 0: none.
        percent: How likely a sick town infects a neighbour; None where hidden.
    """

    sick: tuple[bool | None, ...]
    roads: tuple[tuple[int, int, bool], ...]
    closures: int
    treated: int
    percent: int | None


class OutbreakDynamics(Dynamics[OutbreakLevel, OutbreakState]):
    """One measure, then the sickness spreads."""

    actions: ActionSchema = ActionSchema(
        (
            ActionKind("treat", "heal one {town}", (Integer("town", 1, _TOWNS),)),
            ActionKind("close", "shut one {road} for good, while you may", (Integer("road", 1, _MOST_ROADS),)),
            ActionKind("test", "look at one {town} and those next to it", (Integer("town", 1, _TOWNS),)),
            ActionKind("wait", "do nothing"),
        )
    )
    events: Mapping[str, str] = {
        "well": "towns that are well after a step",
        "contained": "the last sick town is well",
        "cured": "a sick town was treated; the amount is its number",
        "spared": "a town that was well was treated; the amount is its number",
        "tested": "a town was tested; the amount is its number",
    }
    stochastic: bool = True

    def load(self, data: Mapping[str, Any]) -> OutbreakLevel:
        """A level of ``roads``, ``seeds``, ``percent`` and ``closures``."""
        try:
            roads = tuple((int(a), int(b)) for a, b in data["roads"])
            seeds = sum(1 << town for town in data["seeds"])
            percent, closures = data["percent"], data["closures"]
        except (KeyError, TypeError, ValueError) as error:
            raise UsageError(f"An outbreak level lacks something: {type(error).__name__} {error}.") from None
        if len(roads) > _MOST_ROADS or not all(0 <= a < b < _TOWNS for a, b in roads) or not 0 < percent < 100:
            raise UsageError(f"An outbreak has at most {_MOST_ROADS} roads, each of two towns in order, not {data}.")
        beside: list[list[tuple[int, int]]] = [[] for _ in range(_TOWNS)]
        hoods = [1 << town for town in range(_TOWNS)]
        for number, (a, b) in enumerate(roads):
            for town, other in ((a, b), (b, a)):
                beside[town].append((1 << number, 1 << other))
                hoods[town] |= 1 << other
        catches = tuple(1 - (1 - percent / 100) ** count for count in range(_TOWNS))
        return OutbreakLevel(roads, seeds, percent, closures, tuple(map(tuple, beside)), tuple(hoods), catches)

    def init(self, params: OutbreakLevel, key: Key) -> OutbreakState:
        """The first towns sick, all roads open."""
        return OutbreakState(params.seeds, 0)

    def starts(self, params: OutbreakLevel) -> Sequence[tuple[float, OutbreakState]]:
        """One: chance is in the spreading only."""
        return ((1.0, OutbreakState(params.seeds, 0)),)

    def step(self, params: OutbreakLevel, state: OutbreakState, action: Action, key: Key) -> Transition[OutbreakState]:
        """Act, then draw who falls sick."""
        sick, closed, told = self._acted(params, state, action)
        after = sick
        for bit, chance, town in _exposed(params, sick, closed):
            if key.uniform(town) < chance:
                after |= bit
        return self._after(state, after, closed, told)

    def outcomes(self, params: OutbreakLevel, state: OutbreakState, action: Action) -> Outcomes[OutbreakState]:
        """One for each set of towns that may fall sick."""
        sick, closed, told = self._acted(params, state, action)
        spread = [(1.0, sick)]
        for bit, chance, _ in _exposed(params, sick, closed):
            spread = [pair for p, after in spread for pair in ((p * chance, after | bit), (p * (1 - chance), after))]
        return tuple((p, self._after(state, after, closed, told)) for p, after in spread)

    def limits(self, params: OutbreakLevel, horizon: int) -> Mapping[str, float]:
        """All towns well in every step; the last one healed once."""
        return {"well": _TOWNS * horizon, "contained": 1}

    def _acted(self, params: OutbreakLevel, state: OutbreakState, action: Action) -> tuple[int, int, tuple[Event, ...]]:
        """The sick towns and closed roads after the action, and what it makes known."""
        sick, closed = state
        name = action.name
        if name == "wait":
            return sick, closed, ()
        number = int(action.values[0])  # type: ignore[arg-type]  # a whole number, as the schema has checked
        if name == "treat":
            bit = 1 << (number - 1)
            return sick & ~bit, closed, (Event("cured" if sick & bit else "spared", float(number)),)
        if name == "test":
            return sick, closed, (Event("tested", float(number)),)
        if number <= len(params.roads) and closed.bit_count() < params.closures:
            closed |= 1 << (number - 1)
        return sick, closed, ()

    def _after(
        self, before: OutbreakState, sick: int, closed: int, told: tuple[Event, ...]
    ) -> Transition[OutbreakState]:
        well = _TOWNS - sick.bit_count()
        if well:
            told = (*told, Event("well", float(well)))
            if well == _TOWNS and before.sick:
                told = (*told, Event("contained"))
        return Transition(OutbreakState(sick, closed), told)


def _exposed(params: OutbreakLevel, sick: int, closed: int) -> list[tuple[int, float, int]]:
    """Towns that are well and may fall sick: bit, chance and number."""
    found = []
    if sick:
        for town, beside in enumerate(params.beside):
            bit = 1 << town
            if not sick & bit:
                count = 0
                for road, other in beside:
                    if sick & other and not closed & road:
                        count += 1
                if count:
                    found.append((bit, params.catches[count], town))
    return found


class OutbreakGenerator(Generator):
    """Random road maps on which every town can be reached, and two that are sick."""

    version: int = 1
    presets: Mapping[str, Preset] = {
        "valley": Preset(
            "valley", "7 roads, 3 sick towns", {"roads": 7, "sick": 3, "closures": 2, "percents": [30, 35, 40, 45]}
        ),
        "delta": Preset(
            "delta", "8 roads, 3 sick towns", {"roads": 8, "sick": 3, "closures": 2, "percents": [30, 35, 40]}
        ),
    }

    def draw(self, settings: Mapping[str, Any], rng: np.random.Generator) -> dict[str, Any]:
        """A map, the sick, a chance."""
        order = rng.permutation(_TOWNS).tolist()
        roads = {tuple(sorted((order[n], order[int(rng.integers(n))]))) for n in range(1, _TOWNS)}
        others = [(a, b) for a in range(_TOWNS) for b in range(a + 1, _TOWNS) if (a, b) not in roads]
        more = rng.permutation(len(others)).tolist()[: settings["roads"] - len(roads)]
        return {
            "roads": [list(road) for road in sorted([*roads, *(others[n] for n in more)])],
            "seeds": sorted(rng.permutation(_TOWNS).tolist()[: settings["sick"]]),
            "percent": int(rng.choice(settings["percents"])),
            "closures": settings["closures"],
        }

    def alternatives(
        self, settings: Mapping[str, Any], params: Mapping[str, Any], observation: str
    ) -> Sequence[tuple[float, Mapping[str, Any]]] | None:
        """The level alone where all is seen. Elsewhere None: with chance in every step there are too many beliefs."""
        return ((1.0, params),) if observation == "full" else None


class _Reports(Observation[OutbreakLevel, OutbreakState, OutbreakView]):
    """The roads, and all towns or those just tested."""

    def __init__(self, name: str, *, all_seen: bool) -> None:
        self.name = name
        self.kind = "full" if all_seen else "partial"
        self._all = all_seen

    def observe(self, params: OutbreakLevel, state: OutbreakState, events: Sequence[Event]) -> OutbreakView:
        """Health as far as it is seen, roads, and whether a treatment was needed."""
        sick, closed = state
        seen = -1 if self._all else 0
        treated = 0
        for name, amount in events:
            if name == "tested":
                seen |= params.hoods[int(amount) - 1]
            elif name == "cured":
                treated = int(amount)
            elif name == "spared":
                treated = -int(amount)
        return OutbreakView(
            tuple([bool(sick >> n & 1) if seen >> n & 1 else None for n in range(_TOWNS)]),
            tuple([(a, b, not closed >> n & 1) for n, (a, b) in enumerate(params.roads)]),
            params.closures - closed.bit_count(),
            treated,
            params.percent if self._all else None,
        )


class OutbreakSkin(Skin[OutbreakView]):
    """A bulletin: towns, roads, what was done."""

    def setting(self) -> str:
        """What the bulletin tells."""
        return self.vocabulary.fill(
            "{Illness} goes round six {town}s, numbered 1 to 6, that are joined by {road}s, numbered too. After every "
            "step you get a bulletin of what is known of them."
        ).replace("{Illness}", self.vocabulary["illness"].capitalize())

    def text(self, view: OutbreakView) -> str:
        """Towns, roads, closures left, the last treatment, and the chance if it is told."""
        w = self.vocabulary
        word = {True: w["sick"], False: w["healthy"], None: w["unknown"]}
        lines = [f"{w['town']} " + ", ".join([f"{n} {word[s]}" for n, s in enumerate(view.sick, 1)])]
        state = {True: w["open"], False: w["shut"]}
        lines.append(
            f"{w['road']} "
            + ", ".join([f"{n} ({a + 1}-{b + 1}) {state[free]}" for n, (a, b, free) in enumerate(view.roads, 1)])
        )
        lines.append(f"{view.closures} more may be {w['shut']}")
        if view.treated:
            number = abs(view.treated)
            lines.append(f"{w['town']} {number} was {word[view.treated > 0]} when it got {w['treatment']}")
        if view.percent is not None:
            lines.append(f"{w['illness']} passes along an {state[True]} {w['road']} in {view.percent} of 100 steps")
        return "\n".join(lines)

    def picture(self, view: OutbreakView) -> str:
        """The towns' marks, and a matrix of open and closed roads."""
        rows = [[" "] * _TOWNS for _ in range(_TOWNS)]
        for a, b, free in view.roads:
            rows[a][b] = rows[b][a] = "=" if free else "x"
        for n, sick in enumerate(view.sick):
            rows[n][n] = "?" if sick is None else "S" if sick else "o"
        return "\n".join(["  123456", *(f"{n} {''.join(row)}" for n, row in enumerate(rows, 1))])

    def colours(self) -> Mapping[str, tuple[int, int, int]]:
        """Sick, well, closed."""
        return {"S": (220, 90, 80), "o": (130, 200, 130), "x": (120, 120, 120), "=": (215, 200, 150)}


def _potential(params: OutbreakLevel, state: OutbreakState, reward: Reward) -> float:
    """The fewer towns are sick or about to be, the better; each counts for some steps to come."""
    burden = state.sick.bit_count() + sum(chance for _, chance, _ in _exposed(params, state.sick, state.closed))
    if reward.kind == "binary":
        return 0.9 - 0.1 * burden
    return 5.0 * (_TOWNS - burden)


_AHEAD = 15
"""Steps for which the player works out what a state is worth if all were seen from then on."""


class OutbreakPlayer:
    """Keeps the chance of every set of sick towns by Bayes' rule, and takes the measure that promises most.

    A measure is worth what the best one after it is expected to be worth, given what will then have been seen, if all
    were seen from there on (QMDP with one step of look-ahead; Littman, Cassandra and Kaelbling 1995, section 4.2).
    """

    def __init__(self, world: World) -> None:
        import numpy as np

        self._pays = world.reward.weight("well") > 0
        self._sets = np.arange(1 << _TOWNS)
        self._bits = (self._sets[:, None] >> np.arange(_TOWNS) & 1).astype(bool)
        self._count = self._bits.sum(axis=1)
        self._chances: NDArray[np.float64] | None = None
        self._last: Action | None = None
        self._spreads: dict[int, NDArray[np.float64]] = {}
        self._worths: dict[int, NDArray[np.float64]] = {}
        settings = world.core.generator.preset(world.preset).settings
        self._sick = int(settings["sick"])
        self._roads: tuple[tuple[int, int, bool], ...] = ()
        self._percent = round(sum(settings["percents"]) / len(settings["percents"]))

    def act(self, view: OutbreakView, reward: float, key: Key) -> Action:
        """Learn from the view, and choose."""
        import numpy as np

        self._roads = view.roads
        self._percent = view.percent or self._percent
        closed = sum(1 << n for n, (_, _, free) in enumerate(view.roads) if not free)
        if self._chances is None:
            chances = (self._count == self._sick).astype(float)
        else:
            chances = self._chances
            if view.treated:
                town = abs(view.treated) - 1
                chances = np.where(self._bits[:, town] == (view.treated > 0), chances, 0.0)
                chances = self._treated(chances, town)
            chances = chances @ self._spread(closed)
            if self._pays:
                chances = np.where(self._count == _TOWNS - round(reward), chances, 0.0)
            else:
                chances[0] = 0.0
        for town, sick in enumerate(view.sick):
            if sick is not None:
                chances = np.where(self._bits[:, town] == sick, chances, 0.0)
        # Rounding may have left nothing: begin again from what is seen.
        if not chances.sum() > 0:
            fits = [sick is None or self._bits[:, n] == sick for n, sick in enumerate(view.sick)]
            chances = np.logical_and.reduce(np.broadcast_arrays(*fits, self._sets >= 0)).astype(float)
        chances = chances / chances.sum()
        self._chances = chances
        if not chances[1:].sum() > 0:
            return Action("wait")
        return self._best(closed, view.closures)

    def _treated(self, chances: NDArray[np.float64], town: int) -> NDArray[np.float64]:
        import numpy as np

        return np.bincount(self._sets & ~(1 << town), chances, 1 << _TOWNS).astype(np.float64)

    def _spread(self, closed: int) -> NDArray[np.float64]:
        """Chances from each set of sick towns to each, shape (64, 64)."""
        import numpy as np

        found = self._spreads.get(closed)
        if found is None:
            beside = np.zeros((_TOWNS, _TOWNS))
            for n, (a, b, _) in enumerate(self._roads):
                if not closed >> n & 1:
                    beside[a, b] = beside[b, a] = 1
            falls = np.where(self._bits, 1.0, 1 - (1 - self._percent / 100) ** (self._bits @ beside))
            found = np.ones((len(self._sets), len(self._sets)))
            for town in range(_TOWNS):
                found *= np.where(self._bits[None, :, town], falls[:, None, town], 1 - falls[:, None, town])
            self._spreads[closed] = found
        return found

    def _worth(self, closed: int) -> NDArray[np.float64]:
        """What each set of sick towns is worth right before it spreads, if all is seen from then on: shape (64,)."""
        import numpy as np

        found = self._worths.get(closed)
        if found is None:
            spread = self._spread(closed)
            now = (_TOWNS - self._count).astype(float) if self._pays else (self._sets == 0).astype(float)
            heal = [self._sets & ~(1 << town) for town in range(_TOWNS)]
            value = np.zeros(len(self._sets))
            for _ in range(_AHEAD):
                found = spread @ (now + value)
                value = np.max([found, *(found[sets] for sets in heal)], axis=0)
                if not self._pays:
                    value = np.where(self._sets == 0, 0.0, 0.99 * value)
            assert found is not None
            self._worths[closed] = found
        return found

    def _best(self, closed: int, closures: int) -> Action:
        import numpy as np

        assert self._chances is not None
        options: list[tuple[Action, NDArray[np.float64], NDArray[np.int64], int]] = []
        unseen = np.zeros(len(self._sets), dtype=np.int64)
        for town in range(_TOWNS):
            # What a treatment tells is of before it: the two cases are kept apart by halves.
            options.append((Action("treat", (town + 1,)), self._chances, unseen, closed))
            hood = 1 << town
            for a, b, _ in self._roads:
                hood |= (1 << b if a == town else 0) | (1 << a if b == town else 0)
            options.append((Action("test", (town + 1,)), self._chances, self._sets & hood, closed))
        if closures:
            for n, (_, _, free) in enumerate(self._roads):
                if free:
                    options.append((Action("close", (n + 1,)), self._chances, unseen, closed | 1 << n))
        best, top = Action("wait"), -1.0
        for action, chances, seen, shut in options:
            if action.name == "treat":
                town = int(action.values[0]) - 1  # type: ignore[arg-type]  # a number
                parts = [
                    self._treated(np.where(self._bits[:, town] == case, chances, 0.0), town) for case in (True, False)
                ]
            else:
                parts = [chances]
            worth = sum(self._after(part @ self._spread(shut), seen, shut) for part in parts)
            if worth > top + 1e-9:
                best, top = action, worth
        return best

    def _after(self, chances: NDArray[np.float64], seen: NDArray[np.int64], closed: int) -> float:
        """What a spread pays, and what the best treatment after it is expected to be worth, given what is then seen."""
        import numpy as np

        worth = self._worth(closed)
        table = np.stack([worth, *(worth[self._sets & ~(1 << town)] for town in range(_TOWNS))], axis=1)
        if self._pays:
            groups = seen * (_TOWNS + 1) + self._count
            paid = float(chances @ (_TOWNS - self._count))
        else:
            groups = seen + 64 * (self._sets == 0)
            table[0] = 0.0
            paid = float(chances[0])
        _, groups = np.unique(groups, return_inverse=True)
        sums = np.zeros((groups.max() + 1, table.shape[1]))
        np.add.at(sums, groups, chances[:, None] * table)
        return paid + float(sums.max(axis=1).sum())


CORE = Core(
    name="outbreak",
    summary="A sickness spreads by chance along the roads of six towns; tests, treatments and a few closures.",
    dynamics=OutbreakDynamics(),
    generator=OutbreakGenerator(),
    rewards=by_name(
        [
            Pays(
                "binary", "binary", "When no {town} is {sick} any more, that pays 1 and ends it.",
                {"contained": 1.0}, frozenset({"contained"}),
            ),
            Pays("accumulative", "accumulative", "Every step pays 1 for each {town} that is {healthy}.", {"well": 1.0}),
        ]
    ),
    observations=by_name([_Reports("full", all_seen=True), _Reports("tested", all_seen=False)]),
    skins=skins(
        OutbreakSkin,
        Vocabulary("plain", "aligned", {}),
        Vocabulary(
            "inverse",
            "inverse",
            {
                "sick": "thriving", "healthy": "rotten", "illness": "prosperity", "treat": "curse",
                "treatment": "a curse", "close": "widen", "shut": "wide", "open": "blocked",
            },
        ),
        Vocabulary(
            "symbols",
            "abstract",
            {
                "treat": "A", "close": "B", "test": "C", "wait": "D", "town": "X", "road": "Y", "sick": "p",
                "healthy": "q", "unknown": "u", "open": "m", "shut": "n", "illness": "Z", "treatment": "K",
            },
        ),
        Vocabulary(
            "network",
            "other",
            {
                "treat": "clean", "close": "unplug", "test": "scan", "town": "server", "road": "cable",
                "sick": "infected", "healthy": "clean-running", "illness": "worm", "treatment": "a clean-up",
                "shut": "unplugged", "open": "live",
            },
        ),
    ),
    potential=_potential,
    player=OutbreakPlayer,
)  # fmt: skip
