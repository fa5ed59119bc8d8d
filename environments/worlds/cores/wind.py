"""Wind: a grid with pits and crystals, where a gust of one direction comes every few steps. Batched.

Each step the player moves one cell or stays; every ``period`` steps a gust then pushes one cell further. Borders stop
both. A pit ends the episode, on the way as at the end of a step. Crystals are gathered and the goal is reached by being
there. Which way the gusts blow, and when, is fixed in a level and may be hidden. Deterministic.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from ....suite.errors import UsageError
from ..actions import Action, ActionKind, ActionSchema, Choice
from ..core import Core, by_name, skins
from ..dynamics import BatchStep, Dynamics, Event, Transition
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

_MOVES = {"north": (0, -1), "east": (1, 0), "south": (0, 1), "west": (-1, 0), "none": (0, 0)}
_PERIODS = (2, 3)
_WAYS = ("north", "east", "south", "west")
_REGIMES = [(way, period, phase) for way in _WAYS for period in _PERIODS for phase in range(period)]
_Regime = tuple[str, int, int]


@dataclass(frozen=True, eq=False, slots=True)
class WindLevel:
    """A level. Cells are numbered ``size * y + x``; y grows to the south."""

    size: int
    start: int
    goal: int
    pits: frozenset[int]
    crystals: tuple[int, ...]
    way: str
    period: int
    phase: int


class WindState(NamedTuple):
    """Where the player is, the step of the gusts' cycle, and bits of what is left: the goal, then each crystal."""

    x: int
    y: int
    clock: int
    left: int


class WindView(NamedTuple):
    """What is seen. ``cells`` has a row for each y, ``?`` where nothing is seen; ``gust`` is None where hidden."""

    x: int
    y: int
    cells: tuple[str, ...]
    goal: tuple[int, int]
    gust: _Regime | None


class WindDynamics(Dynamics[WindLevel, WindState]):
    """Moves, gusts, pits."""

    actions: ActionSchema = ActionSchema(
        (
            ActionKind("move", "one cell", (Choice("direction", ("north", "east", "south", "west")),)),
            ActionKind("wait", "stay where you are"),
        )
    )
    events: Mapping[str, str] = {
        "arrived": "the goal is reached for the first time",
        "gathered": "crystals gathered",
        "fell": "the player is in a pit",
    }

    def load(self, data: Mapping[str, Any]) -> WindLevel:
        """A level of ``size``, ``start``, ``goal``, ``pits``, ``crystals``, ``way``, ``period``, ``phase``."""
        try:
            level = WindLevel(
                data["size"], data["start"], data["goal"], frozenset(data["pits"]), tuple(data["crystals"]),
                data["way"], data["period"], data["phase"],
            )  # fmt: skip
        except KeyError as error:
            raise UsageError(f"A wind level needs {error}.") from None
        if level.way not in _MOVES or not 0 <= level.phase < level.period:
            raise UsageError(f"A wind level's gusts are a way, and a phase below the period, not {data}.")
        return level

    def init(self, params: WindLevel, key: Key) -> WindState:
        """At the start, everything there."""
        return WindState(params.start % params.size, params.start // params.size, 0, (2 << len(params.crystals)) - 1)

    def step(self, params: WindLevel, state: WindState, action: Action, key: Key) -> Transition[WindState]:
        """Move, then the gust if it is time."""
        x, y, clock, left = state
        size = params.size
        events: list[Event] = []
        gust = _MOVES[params.way] if clock == params.phase else None
        for dx, dy in (_MOVES[action.values[0] if action.values else "none"], gust or (0, 0)):  # type: ignore[index]  # the schema has checked it
            x, y = min(max(x + dx, 0), size - 1), min(max(y + dy, 0), size - 1)
            cell = size * y + x
            if cell in params.pits:
                events.append(Event("fell"))
                return Transition(WindState(x, y, clock, left), tuple(events), True)
            if cell == params.goal and left & 1:
                left ^= 1
                events.append(Event("arrived"))
            for bit, crystal in enumerate(params.crystals, 1):
                if cell == crystal and left >> bit & 1:
                    left ^= 1 << bit
                    events.append(Event("gathered"))
        return Transition(WindState(x, y, (clock + 1) % params.period, left), tuple(events), False)

    def limits(self, params: WindLevel, horizon: int) -> Mapping[str, float]:
        """One goal, and each crystal once."""
        return {"arrived": 1, "gathered": len(params.crystals), "fell": 1}

    # Batched: the same in arrays, levels stacked.

    def init_batch(self, params: Sequence[WindLevel], keys: NDArray[np.uint64]) -> _Rows:
        """Stack levels and put every row at its start."""
        import numpy as np

        size = max(p.size for p in params)
        pits = np.zeros((len(params), size * size), dtype=bool)
        bits = np.zeros((len(params), size * size), dtype=np.int64)
        for row, p in enumerate(params):
            place = {cell: (cell // p.size) * size + cell % p.size for cell in range(p.size * p.size)}
            pits[row, [place[cell] for cell in p.pits]] = True
            bits[row, place[p.goal]] |= 1
            for bit, cell in enumerate(p.crystals, 1):
                bits[row, place[cell]] |= 1 << bit
        return _Rows(
            np.array([p.start % p.size for p in params]),
            np.array([p.start // p.size for p in params]),
            np.zeros(len(params), dtype=np.int64),
            np.array([(2 << len(p.crystals)) - 1 for p in params]),
            _Stack(
                size,
                np.arange(len(params)) * size * size,
                pits.ravel(),
                bits.ravel(),
                np.array([p.size - 1 for p in params]),
                np.array([_MOVES[p.way][0] for p in params]),
                np.array([_MOVES[p.way][1] for p in params]),
                np.array([p.period for p in params]),
                np.array([p.phase for p in params]),
            ),
        )

    def step_batch(self, states: _Rows, actions: NDArray[np.int64], keys: NDArray[np.uint64]) -> BatchStep[_Rows]:
        """Move, then gust, in every row."""
        import numpy as np

        x, y, clock, left, level = states
        gust = clock == level.phase
        fell = np.zeros(len(x), dtype=bool)
        amounts = np.zeros((len(x), 3))
        for dx, dy in ((_DX[actions], _DY[actions]), (np.where(gust, level.dx, 0), np.where(gust, level.dy, 0))):
            x = np.where(fell, x, np.clip(x + dx, 0, level.edge))
            y = np.where(fell, y, np.clip(y + dy, 0, level.edge))
            cell = level.offset + level.size * y + x
            fell = fell | level.pits[cell]
            found = np.where(fell, 0, level.bits[cell] & left)
            left = left ^ found
            amounts[:, 0] += found & 1
            for bit in range(1, _MOST_CRYSTALS + 1):
                amounts[:, 1] += found >> bit & 1
        amounts[:, 2] = fell
        clock = np.where(fell, clock, (clock + 1) % level.period)
        return BatchStep(_Rows(x, y, clock, left, level), amounts, fell)

    def row(self, states: _Rows, index: int) -> WindState:
        """One row as a scalar state."""
        return WindState(int(states.x[index]), int(states.y[index]), int(states.clock[index]), int(states.left[index]))

    def select(self, use: NDArray[np.bool_], new: _Rows, old: _Rows) -> _Rows:
        """Rows of ``new`` where ``use`` is true, else of ``old``."""
        import numpy as np

        return _Rows(*(np.where(use, a, b) for a, b in zip(new[:4], old[:4], strict=True)), new.level)  # type: ignore[arg-type]  # four arrays


_MOST_CRYSTALS = 6


def _offsets(axis: int) -> Any:
    import numpy as np

    # In the order of the schema's `all`, and last, at -1, what changes nothing.
    return np.array([*(_MOVES[a.values[0] if a.values else "none"][axis] for a in WindDynamics.actions.all), 0])  # type: ignore[index]  # words of _MOVES


class _Stack(NamedTuple):
    """What is fixed in the levels of a batch."""

    size: int
    offset: NDArray[np.int64]
    pits: NDArray[np.bool_]
    bits: NDArray[np.int64]
    edge: NDArray[np.int64]
    dx: NDArray[np.int64]
    dy: NDArray[np.int64]
    period: NDArray[np.int64]
    phase: NDArray[np.int64]


class _Rows(NamedTuple):
    """States of a batch."""

    x: NDArray[np.int64]
    y: NDArray[np.int64]
    clock: NDArray[np.int64]
    left: NDArray[np.int64]
    level: _Stack


_DX, _DY = _offsets(0), _offsets(1)


class WindGenerator(Generator):
    """Random grids in which the goal is some way off and every crystal can be reached."""

    version: int = 1
    presets: Mapping[str, Preset] = {
        "breeze": Preset("breeze", "7 x 7, 8 pits, 4 crystals", {"size": 7, "pits": 8, "crystals": 4, "least": 7}),
        "gale": Preset("gale", "9 x 9, 16 pits, 5 crystals", {"size": 9, "pits": 16, "crystals": 5, "least": 10}),
    }

    def draw(self, settings: Mapping[str, Any], rng: np.random.Generator) -> dict[str, Any] | None:
        """A grid; None if the goal is too near, or something is out of reach."""
        size, pits, crystals = settings["size"], settings["pits"], settings["crystals"]
        cells = [int(cell) for cell in rng.permutation(size * size)[: pits + crystals + 2]]
        way, period, phase = _REGIMES[int(rng.integers(len(_REGIMES)))]
        data = {
            "size": size,
            "start": cells[0],
            "goal": cells[1],
            "pits": sorted(cells[2 : 2 + pits]),
            "crystals": sorted(cells[2 + pits :]),
            "way": way,
            "period": period,
            "phase": phase,
        }
        steps = _distances(WindDynamics().load(data))
        if any(cell not in steps for cell in data["crystals"]) or steps.get(data["goal"], 0) < settings["least"]:
            return None
        return data

    def alternatives(
        self, settings: Mapping[str, Any], params: Mapping[str, Any], observation: str
    ) -> Sequence[tuple[float, Mapping[str, Any]]] | None:
        """The same grid under every wind in which it would have been drawn; None where the grid is not seen."""
        if observation == "near":
            return None
        if observation == "full":
            return ((1.0, params),)
        fitting = []
        for way, period, phase in _REGIMES:
            other = {**params, "way": way, "period": period, "phase": phase}
            steps = _distances(WindDynamics().load(other))
            if all(cell in steps for cell in params["crystals"]) and steps.get(params["goal"], 0) >= settings["least"]:
                fitting.append(other)
        return tuple((1 / len(fitting), other) for other in fitting)


def _distances(level: WindLevel) -> dict[int, int]:
    """The fewest steps to each cell that can be reached, cells blown through included; breadth first."""
    dynamics = WindDynamics()
    start = dynamics.init(level, STILL)._replace(left=0)
    seen, found = {start}, {level.start: 0}
    queue = deque([(start, 0)])
    bare = WindLevel(level.size, level.start, -1, level.pits, (), level.way, level.period, level.phase)
    while queue:
        state, steps = queue.popleft()
        for action in dynamics.actions.all:
            after = dynamics.step(bare, state, action, STILL)
            if after.over or after.state in seen:
                continue
            seen.add(after.state)
            queue.append((after.state, steps + 1))
            dx, dy = _MOVES[action.values[0] if action.values else "none"]  # type: ignore[index]  # a word of _MOVES
            x, y = (min(max(v + d, 0), level.size - 1) for v, d in ((state.x, dx), (state.y, dy)))
            for cell in (level.size * y + x, level.size * after.state.y + after.state.x):
                found.setdefault(cell, steps + 1)
    return found


class _Sight(Observation[WindLevel, WindState, WindView]):
    """Sees the grid up to a distance, and the wind or not."""

    def __init__(self, name: str, *, reach: int | None, wind: bool) -> None:
        self.name = name
        self.kind = "full" if reach is None and wind else "partial"
        self._reach, self._wind = reach, wind

    def observe(self, params: WindLevel, state: WindState, events: Sequence[Event]) -> WindView:
        """The cells within reach, the goal's place, and the gusts if they are told."""
        size, x, y, left = params.size, state.x, state.y, state.left
        cells = ["."] * (size * size)
        for cell in params.pits:
            cells[cell] = "O"
        for bit, cell in enumerate(params.crystals, 1):
            if left >> bit & 1:
                cells[cell] = "*"
        if left & 1:
            cells[params.goal] = "G"
        rows = ["".join(cells[size * r : size * (r + 1)]) for r in range(size)]
        reach = self._reach
        if reach is not None:
            low, high = max(0, x - reach), x + reach + 1
            rows = [
                "?" * low + row[low:high] + "?" * (size - high) if abs(r - y) <= reach else "?" * size
                for r, row in enumerate(rows)
            ]
        gust = (params.way, params.period, (params.phase - state.clock) % params.period) if self._wind else None
        return WindView(x, y, tuple(rows), (params.goal % size, params.goal // size), gust)


_CONCEPTS = {".": "ground", "O": "pit", "*": "crystal", "G": "goal", "?": "unseen"}
_GLYPHS = {"ground": ".", "pit": "O", "crystal": "*", "goal": "G", "unseen": "?"}


class WindSkin(Skin[WindView]):
    """A map with a legend."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        super().__init__(vocabulary)
        words = [vocabulary[concept] for concept in _CONCEPTS.values()]
        glyphs = [_GLYPHS.get(word, word[0]) for word in words]
        self._table = str.maketrans("".join(_CONCEPTS), "".join(glyphs))
        self._legend = ", ".join(f"{g} {w}" for g, w in [("@", "you"), *zip(glyphs, words, strict=True)])
        paint = {"pit": (60, 60, 70), "crystal": (120, 200, 235), "goal": (120, 200, 120), "ground": (225, 215, 190)}
        self._colours = {
            "@": (235, 120, 90),
            **{g: paint.get(_word_concept(w), (238, 238, 238)) for g, w in zip(glyphs, words, strict=True)},
        }

    def setting(self) -> str:
        """The map and its legend."""
        return (
            "You stand on a square map. Rows run from top to bottom and columns from left to right, both from 0. "
            f"On the map: {self._legend}."
        )

    def text(self, view: WindView) -> str:
        """Place, goal, gusts if seen, and the map."""
        words = self.vocabulary
        gust = ""
        if view.gust is not None:
            way, period, wait = view.gust
            gust = f"{words['wind']}: {words[way]}, every {period} steps, next in {wait}.\n"
        return (
            f"You are in column {view.x}, row {view.y}; the {words['goal']} is in column {view.goal[0]}, "
            f"row {view.goal[1]}.\n{gust}{self.picture(view)}"
        )

    def picture(self, view: WindView) -> str:
        """The map."""
        rows = [row.translate(self._table) for row in view.cells]
        here = rows[view.y]
        rows[view.y] = f"{here[: view.x]}@{here[view.x + 1 :]}"
        return "\n".join(rows)

    def colours(self) -> Mapping[str, tuple[int, int, int]]:
        """By what a glyph is called."""
        return self._colours


def _word_concept(word: str) -> str:
    return word if word in _GLYPHS else ""


def _potential(params: WindLevel, state: WindState, reward: Reward) -> float:
    """Nearer to what pays is better; being alive is worth something."""
    size = params.size
    targets = [
        cell
        for bit, (cell, event) in enumerate([(params.goal, "arrived"), *((c, "gathered") for c in params.crystals)])
        if state.left >> bit & 1 and reward.weight(event) > 0
    ]
    if not targets:
        return 1.0
    away = min(abs(cell % size - state.x) + abs(cell // size - state.y) for cell in targets)
    return 0.5 * (1 - away / (2 * size))


class WindPlayer:
    """Remembers the map it has seen, learns the gusts from where it ends up, and walks to what pays or is unknown."""

    def __init__(self, world: World) -> None:
        self._wants = {g for g, e in (("G", "arrived"), ("*", "gathered")) if world.reward.weight(e) > 0}
        self._known: dict[tuple[int, int], str] = {}
        self._fits = set(_REGIMES)
        self._time = 0
        self._last: tuple[int, int, int, int] | None = None

    def _blown(
        self, x: int, y: int, move: tuple[int, int], time: int, regime: _Regime, size: int
    ) -> list[tuple[int, int]]:
        way, period, phase = regime
        path = []
        for dx, dy in (move, _MOVES[way] if time % period == phase else (0, 0)):
            x, y = min(max(x + dx, 0), size - 1), min(max(y + dy, 0), size - 1)
            path.append((x, y))
        return path

    def act(self, view: WindView, reward: float, key: Key) -> Action:
        """The first step of a shortest way that no wind that still fits blows into a known pit."""
        size = len(view.cells)
        here = (view.x, view.y)
        for y, row in enumerate(view.cells):
            for x, glyph in enumerate(row):
                if glyph != "?":
                    self._known[x, y] = glyph
        if view.gust is not None:
            way, period, wait = view.gust
            self._fits = {(way, period, (wait + self._time) % period)}
        elif self._last is not None:
            x, y, dx, dy = self._last
            fits = {r for r in self._fits if self._blown(x, y, (dx, dy), self._time - 1, r, size)[-1] == here}
            self._fits = fits or self._fits
        regimes = sorted(self._fits)
        guess = regimes[0]
        best = self._way(here, size, guess, regimes, key)
        self._last = (*here, *_MOVES[best])
        self._time += 1
        return Action("wait") if best == "none" else Action("move", (best,))

    def _way(
        self,
        here: tuple[int, int],
        size: int,
        guess: _Regime,
        regimes: list[_Regime],
        key: Key,
    ) -> str:
        queue = deque([(here, self._time, "")])
        seen = {(here, self._time % guess[1])}
        fallback = "none"
        while queue:
            (x, y), time, first = queue.popleft()
            for name, move in _MOVES.items():
                # The first step must be safe in every wind that fits; later ones in the one that is guessed.
                paths = [self._blown(x, y, move, time, r, size) for r in (regimes if not first else [guess])]
                if any(self._known.get(cell) == "O" for path in paths for cell in path):
                    continue
                path = self._blown(x, y, move, time, guess, size)
                if not first and fallback == "none":
                    fallback = name
                if any(self._known.get(cell, "?") in self._wants for cell in path):
                    return first or name
                if path[-1] not in self._known and not any(g in self._wants for g in self._known.values()):
                    return first or name
                after = (path[-1], (time + 1) % guess[1])
                if after not in seen and path[-1] in self._known:
                    seen.add(after)
                    queue.append((path[-1], time + 1, first or name))
        return fallback


CORE = Core(
    name="wind",
    summary="Grid navigation among pits under gusts whose direction and rhythm may be hidden.",
    dynamics=WindDynamics(),
    generator=WindGenerator(),
    rewards=by_name(
        [
            Pays("binary", "binary", "Reach the {goal}: that pays 1.", {"arrived": 1.0}, frozenset({"arrived"})),
            Pays("accumulative", "accumulative", "Every {crystal} you gather pays 1.", {"gathered": 1.0}),
        ]
    ),
    observations=by_name(
        [
            _Sight("full", reach=None, wind=True),
            _Sight("windless", reach=None, wind=False),
            _Sight("near", reach=1, wind=False),
        ]
    ),
    skins=skins(
        WindSkin,
        Vocabulary("plain", "aligned", {}),
        Vocabulary(
            "inverse",
            "inverse",
            {"pit": "crystal", "crystal": "pit", "north": "south", "south": "north", "east": "west", "west": "east"},
        ),
        Vocabulary(
            "symbols",
            "abstract",
            {
                "move": "A", "wait": "B", "direction": "X", "north": "k", "east": "m", "south": "q", "west": "v",
                "pit": "#", "crystal": "+", "goal": "%", "ground": "-", "unseen": "~", "wind": "W",
            },
        ),
        Vocabulary(
            "sea",
            "other",
            {
                "move": "sail", "wait": "anchor", "pit": "reef", "crystal": "pearl", "goal": "harbour",
                "ground": "water", "unseen": "fog", "wind": "current",
            },
        ),
    ),
    potential=_potential,
    player=WindPlayer,
)  # fmt: skip
